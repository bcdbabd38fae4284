import type { QueueToken } from '@parakernel/queue'
import { expect } from 'vitest'
import { pattern } from '../bytes.ts'
import type { Section } from './section.ts'
import { code, type Subject } from './subject.ts'

/** Redeems a token that may have ended before something that ends those that have not; tells which. */
async function ended(subject: Subject, token: QueueToken): Promise<'done' | 'canceled'> {
  const completion = await subject.runtime.completion(token)
  if (completion.kind === 'pop') completion.sga.free()
  if (completion.kind !== 'failed') return 'done'
  expect(completion.code).toBe('ECANCELED')
  return 'canceled'
}

export const closing: Section = {
  name: 'tokens, cancelling and closing',
  cases(define) {
    define('a token is redeemed once', async (subject) => {
      const { libos, runtime } = subject
      const qd = subject.create()
      const token = subject.push(qd, 'x')
      await subject.done(token, 'push')
      expect(() => runtime.completion(token)).toThrow(code('EINVAL'))
      expect(runtime.cancel(token)).toBe(false)
      const pop = libos.popAt(qd, 0)
      const waiting = runtime.completion(pop)
      const completion = await waiting
      if (completion.kind === 'pop') completion.sga.free()
      expect(() => runtime.completion(pop)).toThrow(code('EINVAL'))
      expect(runtime.outstanding).toBe(0)
    })

    define('close fails what is pending with ECANCELED, and what was taken is still written', async (subject) => {
      const { libos, runtime } = subject
      const qd = subject.create()
      const tokens = Array.from({ length: 20 }, (_, i) => subject.push(qd, `${i % 10}`))
      tokens.push(libos.popAt(qd, 0), libos.sync(qd))
      libos.close(qd)
      for (const token of tokens) await ended(subject, token)
      expect(runtime.outstanding).toBe(0)
      expect(await subject.textAt('/file')).toBe('01234567890123456789')
    })

    define('cancel ends the waiting, and the push is written', async (subject) => {
      const { libos, runtime } = subject
      const qd = subject.create()
      const tokens = Array.from({ length: 10 }, (_, i) => subject.push(qd, `${i}`))
      for (const [i, token] of tokens.entries()) if (i % 2 === 0) runtime.cancel(token)
      for (const token of tokens) await ended(subject, token)
      expect(await subject.text(qd)).toBe('0123456789')
      expect(libos.seek(qd, 0, 'cursor')).toBe(10)
    })

    define('cancel of a pop drops its bytes, and the next pop gives those behind them', async (subject) => {
      const { libos, runtime } = subject
      await subject.file('/file', 'aaaabbbb')
      const qd = libos.open('/file')
      const [first, second] = [libos.pop(qd, 4), libos.pop(qd, 4)]
      runtime.cancel(first)
      await ended(subject, first)
      expect(await subject.poppedText(second)).toBe('bbbb')
    })

    define('asyncClose completes when everything has ended as it would', async (subject) => {
      const { libos, runtime } = subject
      const qd = subject.create('/file', { durability: 'flushed' })
      const pushes = Array.from({ length: 5 }, (_, i) => subject.push(qd, `${i}`))
      const pop = libos.popAt(qd, 0, 5)
      const close = libos.asyncClose(qd)
      expect(() => libos.push(qd, libos.sgaAlloc(0))).toThrow(code('EBADF'))
      expect(() => libos.close(qd)).toThrow(code('EBADF'))
      for (const token of pushes) await subject.done(token, 'push')
      expect(await subject.poppedText(pop)).toBe('01234')
      await subject.done(close, 'close')
      expect(runtime.outstanding).toBe(0)
      expect(await subject.textAt('/file')).toBe('01234')
    })

    define('asyncClose of an idle file completes', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.done(libos.asyncClose(qd), 'close')
      expect(() => libos.status(qd)).toThrow(code('EBADF'))
    })

    define('asyncClose may be cancelled, and the descriptor is gone all the same', async (subject) => {
      const { libos, runtime } = subject
      const qd = subject.create()
      const push = subject.push(qd, pattern(10_000))
      const close = libos.asyncClose(qd)
      runtime.cancel(close)
      await ended(subject, close)
      await ended(subject, push)
      expect(() => libos.status(qd)).toThrow(code('EBADF'))
      const again = libos.open('/file')
      await subject.expectPattern(again, 1, 0, 10_000)
    })

    define('closing one descriptor leaves the others of the file', async (subject) => {
      const { libos } = subject
      const [one, two] = [subject.create(), libos.open('/file', { write: true })]
      const pending = subject.push(one, 'one ')
      libos.close(one)
      await ended(subject, pending)
      await subject.writeAt(two, 'two', 4)
      expect(await subject.text(two)).toBe('one two')
    })

    define('descriptors come back', (subject) => {
      const { libos } = subject
      libos.close(subject.create())
      for (let i = 0; i < 2000; i++) libos.close(libos.open('/file'))
      expect(subject.counters()).toMatchObject({ opens: 2001, closes: 2001 })
    })

    define(
      'no token is left: ENOBUFS, and nothing is done',
      async (subject) => {
        const { libos, runtime } = subject
        const qd = subject.create()
        const tokens: QueueToken[] = []
        let error: unknown
        for (let i = 0; i < 100 && error === undefined; i++) {
          try {
            tokens.push(subject.push(qd, 'x'))
          } catch (thrown) {
            error = thrown
            expect(libos.seek(qd, 0, 'cursor')).toBe(tokens.length)
          }
        }
        expect(error).toEqual(code('ENOBUFS'))
        expect(tokens.length).toBeLessThanOrEqual(32)
        for (const call of [
          () => libos.pop(qd),
          () => libos.sync(qd),
          () => libos.truncate(qd, 0),
          () => libos.asyncClose(qd),
        ]) {
          expect(call).toThrow(code('ENOBUFS'))
        }
        for (const token of tokens) await subject.done(token, 'push')
        expect(libos.status(qd).size).toBe(tokens.length)
        await subject.sync(qd)
        expect(runtime.outstanding).toBe(0)
      },
      { setup: { tokens: 32 } },
    )

    define('shutdown ends everything, and again does nothing', async (subject) => {
      const { libos, runtime } = subject
      const qd = subject.create()
      const tokens = [subject.push(qd, 'last words'), libos.popAt(qd, 0), libos.syncVolume()]
      await libos.shutdown()
      for (const token of tokens) await ended(subject, token)
      await libos.shutdown()
      expect(runtime.outstanding).toBe(0)
      expect(() => libos.status(qd)).toThrow(code('EBADF'))
      for (const call of [
        () => libos.open('/file'),
        () => libos.stat('/file'),
        () => libos.readdir('/'),
        () => libos.mkdir('/x'),
        () => libos.rmdir('/x'),
        () => libos.unlink('/file'),
        () => libos.rename('/file', '/x'),
        () => libos.volume(),
        () => libos.syncVolume(),
      ]) {
        expect(call).toThrow(code('EBADF'))
      }
    })
  },
}
