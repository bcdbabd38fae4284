import { expect } from 'vitest'
import type { Section } from './section.ts'
import { code } from './subject.ts'

export const opening: Section = {
  name: 'opening',
  cases(define) {
    define('refuses what is not there with ENOENT', ({ libos }) => {
      expect(() => libos.open('/nothing')).toThrow(code('ENOENT'))
      expect(() => libos.open('/nothing', { write: true })).toThrow(code('ENOENT'))
      expect(() => libos.open('/no/thing', { write: true, create: true })).toThrow(code('ENOENT'))
      expect(libos.readdir('/')).toEqual([])
    })

    define('create makes an empty file, also for reading alone', async (subject) => {
      const { libos } = subject
      const qd = libos.open('/made', { create: true })
      expect(libos.status(qd)).toMatchObject({ kind: 'file', size: 0, links: 1 })
      expect(libos.readdir('/')).toEqual(['made'])
      expect(await subject.popped(libos.pop(qd))).toHaveLength(0)
      await subject.fails(subject.push(qd, 'x'), 'EBADF')
    })

    define('create leaves what is there', async (subject) => {
      await subject.file('/file', 'content')
      const qd = subject.libos.open('/file', { write: true, create: true })
      expect(await subject.text(qd)).toBe('content')
    })

    define('exclusive makes a file once', ({ libos }) => {
      libos.open('/once', { create: true, exclusive: true, write: true })
      expect(() => libos.open('/once', { create: true, exclusive: true, write: true })).toThrow(code('EEXIST'))
      libos.mkdir('/folder')
      expect(() => libos.open('/folder', { create: true, exclusive: true })).toThrow(code('EEXIST'))
      expect(() => libos.open('/', { create: true, exclusive: true })).toThrow(code('EEXIST'))
    })

    define('truncate cuts to nothing, and so does creat', async (subject) => {
      const { libos } = subject
      await subject.file('/a', 'content')
      const first = libos.open('/a')
      const qd = libos.open('/a', { write: true, truncate: true })
      expect(libos.status(qd).size).toBe(0)
      expect(libos.status(first).size).toBe(0)
      await subject.write(qd, 'new')
      expect(await subject.text(first)).toBe('new')
      expect(libos.status(libos.creat('/a')).size).toBe(0)
      const made = libos.creat('/b')
      await subject.write(made, 'b')
      expect(await subject.text(made)).toBe('b')
    })

    define('truncate comes after the pushes before it', async (subject) => {
      const { libos } = subject
      const qd = subject.create('/file')
      const pushes = Array.from({ length: 8 }, (_, i) => subject.push(qd, `piece ${i}`))
      const again = libos.open('/file', { write: true, truncate: true })
      expect(libos.status(again).size).toBe(0)
      const after = subject.push(again, 'after')
      for (const token of [...pushes, after]) await subject.done(token, 'push')
      expect(await subject.text(again)).toBe('after')
    })

    define('directories cannot be opened', ({ libos }) => {
      libos.mkdir('/folder')
      for (const path of ['/folder', '/']) {
        expect(() => libos.open(path)).toThrow(code('EISDIR'))
        expect(() => libos.open(path, { write: true })).toThrow(code('EISDIR'))
        expect(() => libos.open(path, { write: true, create: true })).toThrow(code('EISDIR'))
        expect(() => libos.creat(path)).toThrow(code('EISDIR'))
      }
    })

    define('a file is no directory to look into', async (subject) => {
      await subject.file('/file', 'x')
      const { libos } = subject
      expect(() => libos.open('/file/below')).toThrow(code('ENOTDIR'))
      expect(() => libos.open('/file/below', { write: true, create: true })).toThrow(code('ENOTDIR'))
    })

    define('options that need another are refused with EINVAL, and nothing is made', ({ libos }) => {
      expect(() => libos.open('/x', { exclusive: true })).toThrow(code('EINVAL'))
      expect(() => libos.open('/x', { create: true, truncate: true })).toThrow(code('EINVAL'))
      expect(() => libos.open('/x', { create: true, append: true })).toThrow(code('EINVAL'))
      expect(() => libos.open('/x', { create: true, write: true, durability: 'eternal' as never })).toThrow(
        code('EINVAL'),
      )
      expect(libos.readdir('/')).toEqual([])
    })

    define('descriptors of one file share its bytes and have cursors of their own', async (subject) => {
      const { libos } = subject
      const writer = subject.create()
      const reader = libos.open('/file')
      await subject.write(writer, 'shared')
      expect(await subject.poppedText(libos.pop(reader, 3))).toBe('sha')
      expect(libos.seek(writer, 0, 'cursor')).toBe(6)
      expect(libos.seek(reader, 0, 'cursor')).toBe(3)
      expect(libos.status(reader).inode).toBe(libos.status(writer).inode)
    })

    define(
      'EMFILE when the table is full, and the file is not made',
      (subject) => {
        const { libos } = subject
        const open: ReturnType<typeof libos.open>[] = []
        let error: unknown
        for (let i = 0; i < 64 && error === undefined; i++) {
          try {
            open.push(subject.create(`/file${i}`))
          } catch (thrown) {
            error = thrown
          }
        }
        expect(error).toEqual(code('EMFILE'))
        expect(libos.readdir('/').length).toBe(open.length)
        const last = open.pop()
        if (last !== undefined) libos.close(last)
        libos.open('/file0')
      },
      { setup: { descriptors: 16 } },
    )
  },
}
