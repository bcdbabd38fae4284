import { expect } from 'vitest'
import { pattern } from '../bytes.ts'
import type { Section } from './section.ts'
import { code } from './subject.ts'

export const unlinking: Section = {
  name: 'unlinking and status',
  cases(define) {
    define('removes a name', async (subject) => {
      const { libos } = subject
      await subject.file('/a', 'x')
      libos.unlink('/a')
      expect(libos.readdir('/')).toEqual([])
      expect(() => libos.stat('/a')).toThrow(code('ENOENT'))
      expect(() => libos.unlink('/a')).toThrow(code('ENOENT'))
    })

    define('refuses directories, and what cannot be there', async (subject) => {
      const { libos } = subject
      libos.mkdir('/d')
      await subject.file('/file', 'x')
      expect(() => libos.unlink('/d')).toThrow(code('EISDIR'))
      expect(() => libos.unlink('/')).toThrow(code('EISDIR'))
      expect(() => libos.unlink('/none/x')).toThrow(code('ENOENT'))
      expect(() => libos.unlink('/file/x')).toThrow(code('ENOTDIR'))
    })

    define('an open file lives on without its name', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, 'content')
      const reader = libos.open('/file')
      libos.unlink('/file')
      expect(libos.status(qd)).toMatchObject({ links: 0, size: 7 })
      await subject.write(qd, ' grows')
      expect(await subject.text(reader)).toBe('content grows')
      await subject.sync(qd)
      await subject.done(libos.truncate(qd, 3), 'push')
      libos.close(qd)
      expect(await subject.text(reader)).toBe('con')
      await subject.file('/file', 'another')
      expect(libos.stat('/file').inode).not.toBe(libos.status(reader).inode)
      expect(await subject.text(reader)).toBe('con')
    })

    define('a file may be unlinked with pushes under way', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      const tokens = Array.from({ length: 10 }, (_, i) => subject.push(qd, `${i}`))
      libos.unlink('/file')
      for (const token of tokens) await subject.done(token, 'push')
      expect(await subject.text(qd)).toBe('0123456789')
    })

    define(
      'the last close gives the media back',
      async (subject) => {
        const { libos } = subject
        const qd = subject.create()
        await subject.write(qd, pattern(1 << 20))
        await subject.sync(qd)
        const full = libos.volume().freeBytes
        libos.unlink('/file')
        libos.close(qd)
        await subject.done(libos.syncVolume(), 'push')
        expect(libos.volume().freeBytes).toBeGreaterThanOrEqual(full + (1 << 20))
      },
      { needs: 'smallVolume' },
    )

    define('stat and status agree, and count what was taken', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      const token = subject.push(qd, 'twelve bytes')
      expect(libos.status(qd).size).toBe(12)
      expect(libos.stat('/file').size).toBe(12)
      await subject.done(token, 'push')
      await subject.sync(qd)
      expect(libos.stat('/file')).toEqual(libos.status(qd))
      expect(libos.stat('/file')).toMatchObject({ kind: 'file', size: 12, links: 1 })
      expect(libos.status(qd).allocated).toBeGreaterThanOrEqual(0)
      expect(Number.isSafeInteger(libos.status(qd).inode)).toBe(true)
    })

    define('inodes name files, and stay', async (subject) => {
      const { libos } = subject
      libos.mkdir('/d')
      await subject.file('/a', 'x')
      await subject.file('/b', 'x')
      const inodes = ['/', '/d', '/a', '/b'].map((path) => libos.stat(path).inode)
      expect(new Set(inodes).size).toBe(4)
      await subject.writeAt(libos.open('/a', { write: true }), 'more', 10)
      expect(libos.stat('/a').inode).toBe(inodes[2])
    })

    define('times move with what they are of', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, 'x')
      const first = libos.status(qd)
      expect(first.modified).toBeGreaterThan(1e18)
      await new Promise((resolve) => setTimeout(resolve, 20))
      libos.rename('/file', '/other')
      const renamed = libos.status(qd)
      expect(renamed.modified).toBe(first.modified)
      expect(renamed.changed).toBeGreaterThanOrEqual(first.changed)
      await subject.read(qd, 0, 1)
      expect(libos.status(qd).modified).toBe(first.modified)
      await subject.write(qd, 'y')
      expect(libos.status(qd).modified).toBeGreaterThan(first.modified)
      expect(libos.status(qd).changed).toBeGreaterThanOrEqual(libos.status(qd).modified)
    })

    define('stat refuses what is not there', async (subject) => {
      const { libos } = subject
      await subject.file('/file', 'x')
      expect(() => libos.stat('/none')).toThrow(code('ENOENT'))
      expect(() => libos.stat('/none/below')).toThrow(code('ENOENT'))
      expect(() => libos.stat('/file/below')).toThrow(code('ENOTDIR'))
      expect(libos.stat('/')).toMatchObject({ kind: 'directory', size: 1 })
    })

    define('volume tells of the whole', ({ libos }) => {
      const volume = libos.volume()
      expect(volume.blockSize).toBeGreaterThanOrEqual(512)
      expect(volume.totalBytes).toBeGreaterThanOrEqual(volume.freeBytes)
      expect(volume.freeBytes).toBeGreaterThan(0)
      expect(volume.files).toBeGreaterThanOrEqual(1)
      expect(volume.readOnly).toBe(false)
    })
  },
}
