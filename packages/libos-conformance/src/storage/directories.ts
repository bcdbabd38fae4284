import { retryAfterSync } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from './section.ts'
import { code } from './subject.ts'

export const directories: Section = {
  name: 'directories',
  cases(define) {
    define('mkdir, readdir and rmdir', ({ libos }) => {
      expect(libos.readdir('/')).toEqual([])
      libos.mkdir('/a')
      libos.mkdir('/a/b')
      libos.mkdir('/a/b/c')
      expect(libos.readdir('/')).toEqual(['a'])
      expect(libos.readdir('/a')).toEqual(['b'])
      expect(libos.stat('/a/b')).toMatchObject({ kind: 'directory', size: 1, links: 1 })
      libos.rmdir('/a/b/c')
      expect(libos.readdir('/a/b')).toEqual([])
      expect(libos.stat('/a/b').size).toBe(0)
      libos.mkdir('/a/b/c')
    })

    define('mkdir refuses what is there, and where nothing can be', async (subject) => {
      const { libos } = subject
      libos.mkdir('/a')
      await subject.file('/file', 'x')
      expect(() => libos.mkdir('/a')).toThrow(code('EEXIST'))
      expect(() => libos.mkdir('/file')).toThrow(code('EEXIST'))
      expect(() => libos.mkdir('/')).toThrow(code('EEXIST'))
      expect(() => libos.mkdir('/no/where')).toThrow(code('ENOENT'))
      expect(() => libos.mkdir('/file/below')).toThrow(code('ENOTDIR'))
    })

    define('rmdir takes empty directories alone', async (subject) => {
      const { libos } = subject
      libos.mkdir('/a')
      await subject.file('/a/file', 'x')
      expect(() => libos.rmdir('/a')).toThrow(code('ENOTEMPTY'))
      expect(() => libos.rmdir('/a/file')).toThrow(code('ENOTDIR'))
      expect(() => libos.rmdir('/nothing')).toThrow(code('ENOENT'))
      expect(() => libos.rmdir('/a/file/below')).toThrow(code('ENOTDIR'))
      expect(() => libos.rmdir('/')).toThrow(code('EBUSY'))
      libos.unlink('/a/file')
      libos.rmdir('/a')
      expect(() => libos.readdir('/a')).toThrow(code('ENOENT'))
    })

    define('readdir refuses files and what is not there', async (subject) => {
      const { libos } = subject
      await subject.file('/file', 'x')
      expect(() => libos.readdir('/file')).toThrow(code('ENOTDIR'))
      expect(() => libos.readdir('/nothing')).toThrow(code('ENOENT'))
      expect(() => libos.readdir('/file/below')).toThrow(code('ENOTDIR'))
    })

    define(
      'names are in the order of their bytes, not of UTF-16',
      ({ libos }) => {
        // U+FF5E is ef bd 9e in UTF-8, and U+1F600 is f0 9f 98 80, of which UTF-16 begins with d83d.
        const names = ['\u{1f600}', '\uff5e', 'b', 'B', 'a', '\u00e9', '10', '9', 'ab', ' ', '~']
        for (const name of names) libos.mkdir(`/${name}`)
        expect(libos.readdir('/')).toEqual([' ', '10', '9', 'B', 'a', 'ab', 'b', '~', '\u00e9', '\uff5e', '\u{1f600}'])
      },
      { needs: 'exactNames' },
    )

    define('hundreds of entries', async (subject) => {
      const { libos } = subject
      const names = Array.from({ length: 600 }, (_, i) => `entry-${i.toString().padStart(4, '0')}`)
      libos.mkdir('/many')
      for (const name of [...names].reverse()) {
        libos.close(await retryAfterSync(libos, () => subject.create(`/many/${name}`)))
      }
      expect(libos.readdir('/many')).toEqual(names)
      expect(libos.stat('/many').size).toBe(600)
      for (const name of names.filter((_, i) => i % 3 !== 0)) {
        await retryAfterSync(libos, () => libos.unlink(`/many/${name}`))
      }
      expect(libos.readdir('/many')).toEqual(names.filter((_, i) => i % 3 === 0))
    })

    define('deep trees', async (subject) => {
      const { libos } = subject
      let path = ''
      for (let i = 0; i < 60; i++) {
        path += `/level${i}`
        await retryAfterSync(libos, () => libos.mkdir(path))
      }
      await subject.file(`${path}/bottom`, 'deep')
      expect(await subject.textAt(`${path}/bottom`)).toBe('deep')
      libos.unlink(`${path}/bottom`)
      for (; path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
        await retryAfterSync(libos, () => libos.rmdir(path))
      }
      expect(libos.readdir('/')).toEqual([])
    })
  },
}
