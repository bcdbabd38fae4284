import { createPlainWindow, FramePool, ParakernelError } from '@parakernel/hal'
import { type QueueDescriptor, type StorageLibOS, sgaFromText } from '@parakernel/queue'
import { expect } from 'vitest'
import type { Section } from './section.ts'
import { code } from './subject.ts'

const BAD = [-1, 0.5, Number.NaN, Infinity, -Infinity, 2 ** 53, '1' as never, null as never]

export const misuse: Section = {
  name: 'misuse',
  cases(define) {
    define('a closed descriptor is refused by every call with EBADF', (subject) => {
      const { libos, runtime, pool } = subject
      const qd = subject.create()
      libos.close(qd)
      const sga = sgaFromText(pool, 'x')
      const calls: ((libos: StorageLibOS, qd: QueueDescriptor) => unknown)[] = [
        (libos) => libos.close(qd),
        (libos) => libos.asyncClose(qd),
        (libos) => libos.push(qd, sga),
        (libos) => libos.pushAt(qd, sga, 0),
        (libos) => libos.pop(qd),
        (libos) => libos.popAt(qd, 0),
        (libos) => libos.sync(qd),
        (libos) => libos.seek(qd, 0),
        (libos) => libos.truncate(qd, 0),
        (libos) => libos.punchHole(qd, 0, 1),
        (libos) => libos.status(qd),
      ]
      for (const call of calls) {
        expect(() => call(libos, qd), call.toString()).toThrow(code('EBADF'))
        expect(() => call(libos, 65_000 as QueueDescriptor), call.toString()).toThrow(code('EBADF'))
      }
      sga.free()
      expect(runtime.outstanding).toBe(0)
    })

    define('a queue of somebody else is no file', (subject) => {
      const { libos, runtime, pool } = subject
      const foreign = runtime.open({ cancel() {} })
      const sga = sgaFromText(pool, 'x')
      for (const call of [
        () => libos.close(foreign),
        () => libos.push(foreign, sga),
        () => libos.pop(foreign),
        () => libos.status(foreign),
      ]) {
        expect(call).toThrow(code('EBADF'))
      }
      sga.free()
      runtime.close(foreign)
    })

    define('writing through a descriptor for reading fails with EBADF', async (subject) => {
      const { libos } = subject
      await subject.file('/file', 'content')
      const qd = libos.open('/file')
      await subject.fails(subject.push(qd, 'x'), 'EBADF')
      await subject.fails(subject.pushAt(qd, 'x', 0), 'EBADF')
      await subject.fails(libos.truncate(qd, 0), 'EBADF')
      await subject.fails(libos.punchHole(qd, 0, 3), 'EBADF')
      expect(libos.seek(qd, 0, 'cursor')).toBe(0)
      await subject.sync(qd)
      expect(await subject.text(qd)).toBe('content')
    })

    define('numbers that make no sense are refused with EINVAL, and take no token', async (subject) => {
      const { libos, runtime, pool } = subject
      const qd = subject.create()
      await subject.write(qd, 'abc')
      const sga = sgaFromText(pool, 'x')
      for (const bad of BAD) {
        expect(() => libos.pushAt(qd, sga, bad), `pushAt ${bad}`).toThrow(code('EINVAL'))
        expect(() => libos.popAt(qd, bad), `popAt ${bad}`).toThrow(code('EINVAL'))
        expect(() => libos.truncate(qd, bad), `truncate ${bad}`).toThrow(code('EINVAL'))
        expect(() => libos.punchHole(qd, bad, 1), `punchHole at ${bad}`).toThrow(code('EINVAL'))
        expect(() => libos.punchHole(qd, 0, bad), `punchHole of ${bad}`).toThrow(code('EINVAL'))
        expect(() => libos.popAt(qd, 0, bad), `popAt of ${bad}`).toThrow(code('EINVAL'))
        expect(() => libos.pop(qd, bad), `pop of ${bad}`).toThrow(code('EINVAL'))
      }
      expect(() => libos.pop(qd, 0)).toThrow(code('EINVAL'))
      expect(() => libos.popAt(qd, 0, 0)).toThrow(code('EINVAL'))
      sga.free()
      expect(runtime.outstanding).toBe(0)
      expect(await subject.text(qd)).toBe('abc')
    })

    define('arrays that were freed, or are of another pool, fail with EINVAL', async (subject) => {
      const { libos, pool } = subject
      const qd = subject.create()
      const freed = sgaFromText(pool, 'freed')
      freed.free()
      await subject.fails(libos.push(qd, freed), 'EINVAL')
      await subject.fails(libos.pushAt(qd, freed, 0), 'EINVAL')
      const other = sgaFromText(new FramePool(createPlainWindow(4)), 'other')
      await subject.fails(libos.push(qd, other), 'EINVAL')
      other.free()
      expect(libos.status(qd).size).toBe(0)
      expect(libos.seek(qd, 0, 'cursor')).toBe(0)
    })

    define('a push that would end above 2^53 - 1 fails with EFBIG', async (subject) => {
      const { libos } = subject
      const qd = subject.create()
      await subject.fails(subject.pushAt(qd, '0123456789', Number.MAX_SAFE_INTEGER - 4), 'EFBIG')
      libos.seek(qd, Number.MAX_SAFE_INTEGER - 4)
      await subject.fails(subject.push(qd, '0123456789'), 'EFBIG')
      expect(libos.status(qd).size).toBe(0)
      expect(libos.seek(qd, 0, 'cursor')).toBe(Number.MAX_SAFE_INTEGER - 4)
      expect(await subject.poppedText(libos.pop(qd))).toBe('')
    })

    define('a pop of more than the pool could ever hold fails with ENOBUFS', async (subject) => {
      const { libos, pool } = subject
      const qd = subject.create()
      await subject.done(libos.truncate(qd, pool.frameSize * pool.frameCount * 2), 'push')
      await subject.fails(libos.popAt(qd, 0, pool.frameSize * pool.frameCount * 2), 'ENOBUFS')
      expect(await subject.poppedText(libos.popAt(qd, 0, 1))).toBe('\0')
    })

    define('errors are ParakernelErrors that name the object', ({ libos }) => {
      let error: unknown
      try {
        libos.open('/not/here')
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(ParakernelError)
      expect((error as ParakernelError).message).toContain('/not/here')
      expect(libos.name).not.toBe('')
    })
  },
}
