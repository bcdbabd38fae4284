import { expect } from 'vitest'
import type { Section } from './section.ts'
import { code } from './subject.ts'

export const renaming: Section = {
  name: 'renaming',
  cases(define) {
    define('moves a file within a directory and to another', async (subject) => {
      const { libos } = subject
      await subject.file('/a', 'content')
      libos.mkdir('/d')
      const { inode } = libos.stat('/a')
      libos.rename('/a', '/b')
      expect(libos.readdir('/')).toEqual(['b', 'd'])
      libos.rename('/b', '/d/c')
      expect(libos.readdir('/')).toEqual(['d'])
      expect(libos.stat('/d/c')).toMatchObject({ inode, links: 1 })
      expect(await subject.textAt('/d/c')).toBe('content')
    })

    define('moves a directory with what is in it', async (subject) => {
      const { libos } = subject
      libos.mkdir('/a')
      libos.mkdir('/a/in')
      libos.mkdir('/d')
      await subject.file('/a/in/file', 'inside')
      libos.rename('/a', '/d/moved')
      expect(libos.readdir('/')).toEqual(['d'])
      expect(await subject.textAt('/d/moved/in/file')).toBe('inside')
      expect(() => libos.stat('/a/in')).toThrow(code('ENOENT'))
    })

    define('replaces a file, whose descriptors keep it', async (subject) => {
      const { libos } = subject
      await subject.file('/old', 'old content')
      await subject.file('/new', 'new')
      const kept = libos.open('/old', { write: true })
      libos.rename('/new', '/old')
      expect(libos.readdir('/')).toEqual(['old'])
      expect(await subject.textAt('/old')).toBe('new')
      expect(await subject.text(kept)).toBe('old content')
      expect(libos.status(kept).links).toBe(0)
      await subject.write(kept, 'OLD')
      expect(await subject.text(kept)).toBe('OLD content')
      expect(await subject.textAt('/old')).toBe('new')
    })

    define('replaces an empty directory', async (subject) => {
      const { libos } = subject
      libos.mkdir('/a')
      libos.mkdir('/b')
      await subject.file('/a/file', 'x')
      libos.rename('/a', '/b')
      expect(libos.readdir('/')).toEqual(['b'])
      expect(libos.readdir('/b')).toEqual(['file'])
    })

    define('to itself does nothing', async (subject) => {
      const { libos } = subject
      await subject.file('/a', 'content')
      libos.mkdir('/d')
      await subject.file('/d/x', 'x')
      libos.rename('/a', '/a')
      libos.rename('/d', '/d')
      expect(libos.readdir('/')).toEqual(['a', 'd'])
      expect(await subject.textAt('/a')).toBe('content')
      expect(libos.readdir('/d')).toEqual(['x'])
      expect(() => libos.rename('/none', '/none')).toThrow(code('ENOENT'))
    })

    define('refuses what is not there, from and to', async (subject) => {
      const { libos } = subject
      await subject.file('/file', 'x')
      expect(() => libos.rename('/none', '/b')).toThrow(code('ENOENT'))
      expect(() => libos.rename('/none/a', '/b')).toThrow(code('ENOENT'))
      expect(() => libos.rename('/file', '/none/b')).toThrow(code('ENOENT'))
      expect(() => libos.rename('/file/a', '/b')).toThrow(code('ENOTDIR'))
      expect(() => libos.rename('/file', '/file/b')).toThrow(code('ENOTDIR'))
      expect(libos.readdir('/')).toEqual(['file'])
    })

    define('keeps files and directories apart', async (subject) => {
      const { libos } = subject
      await subject.file('/file', 'x')
      libos.mkdir('/d')
      libos.mkdir('/e')
      await subject.file('/e/full', 'x')
      expect(() => libos.rename('/file', '/d')).toThrow(code('EISDIR'))
      expect(() => libos.rename('/file', '/e')).toThrow(code('EISDIR'))
      expect(() => libos.rename('/d', '/file')).toThrow(code('ENOTDIR'))
      expect(() => libos.rename('/d', '/e')).toThrow(code('ENOTEMPTY'))
      expect(libos.readdir('/')).toEqual(['d', 'e', 'file'])
    })

    define('no directory into itself or onto one above it', ({ libos }) => {
      libos.mkdir('/a')
      libos.mkdir('/a/b')
      libos.mkdir('/a/b/c')
      expect(() => libos.rename('/a', '/a/x')).toThrow(code('EINVAL'))
      expect(() => libos.rename('/a', '/a/b')).toThrow(code('EINVAL'))
      expect(() => libos.rename('/a', '/a/b/c/d')).toThrow(code('EINVAL'))
      expect(() => libos.rename('/a/b', '/a')).toThrow(code('ENOTEMPTY'))
      expect(() => libos.rename('/a/b/c', '/a')).toThrow(code('ENOTEMPTY'))
      // A name that begins alike is another directory.
      libos.rename('/a', '/ab')
      expect(libos.readdir('/ab/b')).toEqual(['c'])
    })

    define('leaves the root alone', async (subject) => {
      const { libos } = subject
      libos.mkdir('/a')
      await subject.file('/file', 'x')
      expect(() => libos.rename('/', '/a')).toThrow(code('EBUSY'))
      expect(() => libos.rename('/', '/')).toThrow(code('EBUSY'))
      expect(() => libos.rename('/a', '/')).toThrow(code('EBUSY'))
      expect(() => libos.rename('/file', '/')).toThrow(code('EBUSY'))
    })

    define('descriptors follow', async (subject) => {
      const { libos } = subject
      libos.mkdir('/d')
      const qd = subject.create('/d/file')
      const push = subject.push(qd, 'before ')
      libos.rename('/d/file', '/d/other')
      libos.rename('/d', '/e')
      await subject.done(push, 'push')
      await subject.write(qd, 'after')
      expect(await subject.textAt('/e/other')).toBe('before after')
      expect(libos.status(qd).links).toBe(1)
    })

    define('the way to replace a file at once works', async (subject) => {
      const { libos } = subject
      await subject.file('/config', 'version 1')
      for (let i = 2; i < 10; i++) {
        const qd = libos.creat('/config.new')
        await subject.write(qd, `version ${i}`)
        await subject.sync(qd)
        libos.close(qd)
        libos.rename('/config.new', '/config')
        expect(await subject.textAt('/config')).toBe(`version ${i}`)
      }
      expect(libos.readdir('/')).toEqual(['config'])
    })
  },
}
