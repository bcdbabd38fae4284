import { expect } from 'vitest'
import { pattern } from '../bytes.ts'
import type { Section } from './section.ts'
import { code } from './subject.ts'

const LEVELS = ['buffered', 'flushed', 'fua'] as const

export const durability: Section = {
  name: 'durability',
  cases(define) {
    define('says what it promises', ({ libos }) => {
      expect(LEVELS).toContain(libos.durability.strongest)
      expect(libos.durability.promise.length).toBeGreaterThan(20)
    })

    for (const level of LEVELS) {
      define(`descriptors that are ${level}: push, append, truncate, hole, close`, async (subject) => {
        const { libos } = subject
        const qd = subject.create('/file', { durability: level })
        await subject.write(qd, pattern(10_000))
        await subject.done(libos.truncate(qd, 8000), 'push')
        await subject.done(libos.punchHole(qd, 0, 10), 'push')
        const append = libos.open('/file', { write: true, append: true, durability: level })
        await subject.write(append, 'end')
        await subject.done(libos.asyncClose(append), 'close')
        const expected = new Uint8Array(8003)
        expected.set(pattern(8000))
        expected.fill(0, 0, 10)
        expected.set([101, 110, 100], 8000)
        expect(await subject.content(qd)).toEqual(expected)
      })
    }

    define('sync completes as a push of 0 bytes, of data, of all, of a file that nobody wrote', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.sync(qd)
      await subject.write(qd, 'x')
      await subject.sync(qd, 'data')
      await subject.sync(qd, 'all')
      await subject.sync(libos.open('/file'))
      expect((await subject.done(libos.syncVolume(), 'push')).bytes).toBe(0)
    })

    define('a sync covers the pushes before it that have not completed', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      const pushes = Array.from({ length: 16 }, (_, i) => subject.push(qd, pattern(500, 1, i * 500)))
      const sync = libos.sync(qd)
      let synced = false
      const order = sync && subject.done(sync, 'push').then(() => (synced = true))
      for (const token of pushes) {
        await subject.done(token, 'push')
      }
      await order
      expect(synced).toBe(true)
      await subject.expectPattern(qd, 1, 0, 8000)
    })

    define('many syncs at once share their flushes', async (subject) => {
      const { libos } = subject
      const files = Array.from({ length: 8 }, (_, i) => subject.create(`/file${i}`))
      const tokens = []
      for (let round = 0; round < 8; round++) {
        for (const qd of files) tokens.push(subject.push(qd, 'x'), libos.sync(qd))
      }
      for (const token of tokens) await subject.done(token, 'push')
      for (const qd of files) expect(libos.status(qd).size).toBe(8)
    })

    define('everything is there after a shutdown', async (subject) => {
      const { libos } = subject
      libos.mkdir('/d')
      libos.mkdir('/empty')
      await subject.file('/d/moved', 'content')
      libos.rename('/d/moved', '/d/here')
      const qd = subject.create('/big')
      await subject.write(qd, pattern(300_000))
      await subject.done(libos.punchHole(qd, 100_000, 50_000), 'push')
      await subject.writeAt(qd, 'far away', 1_000_000)
      await subject.file('/gone', 'x')
      libos.unlink('/gone')
      const before = ['/d', '/d/here', '/big'].map((path) => libos.stat(path))
      await subject.reopen()
      const again = subject.libos
      expect(() => again.status(qd)).toThrow(code('EBADF'))
      expect(again.readdir('/')).toEqual(['big', 'd', 'empty'])
      expect(again.readdir('/empty')).toEqual([])
      expect(await subject.textAt('/d/here')).toBe('content')
      const big = again.open('/big', { write: true })
      const expected = pattern(300_000)
      expected.fill(0, 100_000, 150_000)
      expect(await subject.read(big, 0, 300_000)).toEqual(expected)
      expect(await subject.read(big, 300_000, 700_000)).toEqual(new Uint8Array(700_000))
      expect(await subject.poppedText(again.popAt(big, 1_000_000))).toBe('far away')
      for (const [i, path] of ['/d', '/d/here', '/big'].entries()) {
        const { kind, size, inode, links, modified } = before[i]
        expect(again.stat(path)).toMatchObject({ kind, size, inode, links, modified })
      }
      await subject.write(big, 'writable again')
    })

    define('a pending push is there after a shutdown', async (subject) => {
      const { libos, runtime } = subject
      const qd = subject.create()
      const tokens = Array.from({ length: 12 }, (_, i) => subject.push(qd, pattern(1000, 1, i * 1000)))
      await subject.reopen()
      for (const token of tokens) await runtime.completion(token)
      const again = subject.libos.open('/file')
      await subject.expectPattern(again, 1, 0, 12_000)
      expect(libos.name).toBe(subject.libos.name)
    })

    define('what was unlinked and open is gone after a shutdown', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.write(qd, pattern(100_000))
      libos.unlink('/file')
      await subject.reopen()
      expect(subject.libos.readdir('/')).toEqual([])
    })

    define('a volume may be opened many times', async (subject) => {
      for (let i = 0; i < 5; i++) {
        await subject.file(`/file${i}`, `round ${i}`)
        await subject.reopen()
        for (let j = 0; j <= i; j++) expect(await subject.textAt(`/file${j}`)).toBe(`round ${j}`)
      }
    })

    define('a read-only volume is read, and every change is refused with EROFS', async (subject) => {
      subject.libos.mkdir('/d')
      await subject.file('/file', 'content')
      await subject.reopen({ readOnly: true })
      const { libos } = subject
      expect(libos.volume().readOnly).toBe(true)
      expect(await subject.textAt('/file')).toBe('content')
      for (const call of [
        () => libos.open('/file', { write: true }),
        () => libos.open('/new', { create: true }),
        () => libos.creat('/file'),
        () => libos.creat('/new'),
        () => libos.mkdir('/new'),
        () => libos.rmdir('/d'),
        () => libos.unlink('/file'),
        () => libos.rename('/file', '/new'),
      ]) {
        expect(call, call.toString()).toThrow(code('EROFS'))
      }
      const qd = libos.open('/file', { create: true })
      await subject.sync(qd)
      await subject.done(libos.syncVolume(), 'push')
      expect(libos.readdir('/')).toEqual(['d', 'file'])
    })
  },
}
