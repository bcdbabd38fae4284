import { expect } from 'vitest'
import type { Section } from './section.ts'

const SECOND = 1_000_000_000

/** Needs both ends to move on while one of them waits: one loop for both, or the other end in another thread. */
export const synchronousWait: Section = {
  name: 'synchronous waits',
  cases(define) {
    define(
      'wait, waitAny and waitNext run the loop until there is something to return',
      (pair) => {
        const { a, b } = pair
        const [client, server] = [pair.open(a), pair.open(b)]
        const pops = [b.pop(pair.open(b).qd), b.pop(server.qd)]
        const push = pair.pushTo(a, client.qd, 'hello', server.at)
        expect(a.runtime.wait(push, SECOND)).toMatchObject({ kind: 'push', bytes: 5 })
        const { index, completion } = b.runtime.waitAny(pops, SECOND)
        expect(index).toBe(1)
        expect(completion).toMatchObject({ kind: 'pop', source: client.at })
        if (completion.kind === 'pop') completion.sga.free()
        const next = b.pop(server.qd)
        a.runtime.wait(pair.pushTo(a, client.qd, 'again', server.at), SECOND)
        const second = b.runtime.waitNext(SECOND)
        expect(second).toMatchObject({ kind: 'pop', token: next })
        if (second?.kind === 'pop') second.sga.free()
        expect(b.runtime.cancel(pops[0])).toBe(true)
        expect(b.runtime.wait(pops[0])).toMatchObject({ kind: 'failed', code: 'ECANCELED' })
      },
      'synchronousWait',
    )

    define(
      'time out, and leave the token',
      (pair) => {
        const { a } = pair
        const pop = a.pop(pair.open(a).qd)
        const start = a.loop.clock.now()
        expect(() => a.runtime.wait(pop, 5_000_000)).toThrow(expect.objectContaining({ code: 'ETIMEDOUT' }))
        expect(a.loop.clock.now() - start).toBeGreaterThanOrEqual(5_000_000)
        expect(a.runtime.isPending(pop)).toBe(true)
        expect(a.runtime.waitNext(1_000_000)).toBeUndefined()
        a.runtime.cancel(pop)
        expect(a.runtime.wait(pop)).toMatchObject({ kind: 'failed' })
      },
      'synchronousWait',
    )
  },
}
