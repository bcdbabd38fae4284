import { type QueueToken, sgaFromBytes } from '@parakernel/queue'
import { expect } from 'vitest'
import { pattern } from '../bytes.ts'
import type { Section } from './section.ts'

export const backpressure: Section = {
  name: 'backpressure',
  cases(define) {
    define('thousands of pushes are under way, in order', async (subject) => {
      const { libos, pool } = subject
      const qd = subject.create()
      const sga = sgaFromBytes(pool, pattern(16))
      const tokens: QueueToken[] = []
      for (let i = 0; i < 4000; i++) tokens.push(libos.push(qd, sga))
      sga.free()
      for (const token of tokens) expect((await subject.done(token, 'push')).bytes).toBe(16)
      expect(libos.status(qd).size).toBe(64_000)
      const expected = new Uint8Array(64_000)
      for (let at = 0; at < 64_000; at += 16) expected.set(pattern(16), at)
      expect(await subject.content(qd)).toEqual(expected)
    })

    define('thousands of pops are under way, for which the pool has too few frames', async (subject) => {
      const { libos, pool } = subject
      const qd = subject.create()
      await subject.write(qd, pattern(40_000))
      const count = Math.max(3000, 2 * pool.frameCount)
      const tokens = Array.from({ length: count }, (_, i) => libos.popAt(qd, i * 10, 10))
      for (const [i, token] of tokens.entries()) {
        expect(await subject.popped(token), `pop ${i}`).toEqual(pattern(40_000).subarray(i * 10, i * 10 + 10))
      }
    })

    define('a pop waits for frames that the application holds', async (subject) => {
      const { libos, pool, runtime } = subject
      await subject.file('/file', 'patience')
      const qd = libos.open('/file')
      const held: number[] = []
      for (let frame = pool.allocate(); frame >= 0; frame = pool.allocate()) held.push(frame)
      const token = libos.pop(qd)
      let done = false
      const waiting = subject.poppedText(token).then((text) => {
        done = true
        return text
      })
      await new Promise((resolve) => setTimeout(resolve, 30))
      expect(done).toBe(false)
      expect(runtime.isPending(token)).toBe(true)
      for (const frame of held) pool.release(frame)
      expect(await waiting).toBe('patience')
    })

    define('a push goes on while a pop waits for frames', async (subject) => {
      const { libos, pool, runtime } = subject
      await subject.file('/file', 'before')
      const qd = libos.open('/file', { write: true })
      const sga = sgaFromBytes(pool, pattern(100))
      const held: number[] = []
      for (let frame = pool.allocate(); frame >= 0; frame = pool.allocate()) held.push(frame)
      const pop = libos.popAt(qd, 0, 6)
      const push = libos.pushAt(qd, sga, 6)
      sga.free()
      const done = runtime.completion(push)
      await new Promise((resolve) => setTimeout(resolve, 20))
      for (const frame of held) pool.release(frame)
      expect(await subject.poppedText(pop)).toBe('before')
      expect(await done).toMatchObject({ kind: 'push', bytes: 100 })
    })

    define('a close ends pops that wait for frames', async (subject) => {
      const { libos, pool } = subject
      await subject.file('/file', 'never read')
      const qd = libos.open('/file')
      const held: number[] = []
      for (let frame = pool.allocate(); frame >= 0; frame = pool.allocate()) held.push(frame)
      const tokens = Array.from({ length: 5 }, () => libos.popAt(qd, 0))
      libos.close(qd)
      for (const token of tokens) await subject.fails(token, 'ECANCELED')
      for (const frame of held) pool.release(frame)
    })

    define('a round of everything at once', async (subject) => {
      const { libos, runtime } = subject
      const files = Array.from({ length: 20 }, (_, i) => subject.create(`/file${i}`))
      let pushed = 0
      for (let round = 0; round < 20; round++) {
        const tokens: QueueToken[] = []
        for (const [i, qd] of files.entries()) {
          tokens.push(subject.push(qd, pattern(100 + i)), libos.popAt(qd, round * 50, 60))
          pushed += 100 + i
          if ((round + i) % 7 === 0) tokens.push(libos.sync(qd))
        }
        for (const token of tokens) {
          const completion = await runtime.completion(token)
          expect(completion.kind).not.toBe('failed')
          if (completion.kind === 'pop') completion.sga.free()
        }
      }
      expect(files.reduce((sum, qd) => sum + libos.status(qd).size, 0)).toBe(pushed)
      expect(runtime.outstanding).toBe(0)
    })
  },
}
