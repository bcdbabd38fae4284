import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TcpTimers } from '../../src/stack/tcp-timers.ts'

const NEVER = Number.POSITIVE_INFINITY

describe('timers of connections', () => {
  it('fire in order, never late, and once each, whatever is put off, brought nearer or cancelled', () => {
    const step = fc.record({
      kind: fc.constantFrom('arm' as const, 'arm' as const, 'cancel' as const, 'pass' as const),
      slot: fc.nat(200),
      time: fc.nat(1000),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const timers = new TcpTimers()
        const cell = new Float64Array(1)
        const now = new Float64Array(1)
        // What each slot stands for in the heap: the earliest it was armed with since it fired.
        const model = new Map<number, number>()
        for (const { kind, slot, time } of steps) {
          if (kind === 'arm') {
            cell[0] = now[0] + time
            const first = timers.arm(slot, cell)
            const before = model.get(slot) ?? NEVER
            if (cell[0] < before) model.set(slot, cell[0])
            if (first) expect(cell[0]).toBe(Math.min(...model.values()))
          } else if (kind === 'cancel') {
            timers.cancel(slot)
            model.delete(slot)
          } else {
            now[0] += time
            let last = 0
            for (let fired = timers.expired(now); fired >= 0; fired = timers.expired(now)) {
              const at = model.get(fired) as number
              expect(at).toBeLessThanOrEqual(now[0])
              expect(at).toBeGreaterThanOrEqual(last)
              last = at
              model.delete(fired)
            }
            for (const at of model.values()) expect(at).toBeGreaterThan(now[0])
          }
          expect(timers.size).toBe(model.size)
          expect(timers.next).toBe(model.size === 0 ? NEVER : Math.min(...model.values()))
        }
      }),
    )
  })
})
