import { assertNoLeaks, createPlainWindow, DebugFramePool, FramePool } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allocateSga, ScatterGatherArray, sgaFromText, shareSga } from '../src/index.ts'

const window = () => createPlainWindow(64, { frameSize: 512 })
const fault = expect.objectContaining({ code: 'EFAULT' })

describe('a scatter-gather array', () => {
  test('that was freed throws in debug mode, whatever is done with it', () => {
    const pool = new DebugFramePool(window())
    const sga = sgaFromText(pool, 'x')
    sga.free()
    for (const use of [() => sga.slice(0), () => sga.toBytes(), () => sga.free()]) expect(use).toThrow(fault)
    expect(sga.refusalBy(pool)).toMatch(/freed before it was pushed/)
    assertNoLeaks(pool)
  })

  test('that was freed is counted elsewhere, and frees nobody else', () => {
    const pool = new FramePool(window())
    const sga = sgaFromText(pool, 'x')
    sga.free()
    const next = sgaFromText(pool, 'y')
    expect(next.segments[0].frame).toBe(sga.segments[0].frame)
    sga.free()
    sga.slice(0)
    expect(pool.misuses).toBe(2)
    expect(new TextDecoder().decode(next.toBytes())).toBe('y')
  })

  test('whose frames somebody else freed is found to be stale, also when they have an owner again', () => {
    for (const pool of [new DebugFramePool(window()), new FramePool(window())]) {
      const sga = allocateSga(pool, 700)
      const [{ frame }] = sga.segments
      expect(sga.stale).toBe(false)
      pool.release(frame)
      expect(pool.allocate()).toBe(frame)
      expect(sga.stale).toBe(true)
      expect(sga.refusalBy(pool)).toMatch(/freed by somebody else/)
      const free = () => sga.free()
      if (pool instanceof DebugFramePool) expect(free).toThrow(fault)
      else free()
      // The frame is its new owner's still.
      expect(pool.count(frame)).toBe(1)
    }
  })

  test('is stale exactly when one of its frames has ended a life, on any history of the pool', () => {
    const step = fc.record({ kind: fc.constantFrom('take', 'share', 'free', 'steal'), which: fc.nat(30) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pool = new FramePool(createPlainWindow(12, { frameSize: 512 }))
        const arrays: { sga: ScatterGatherArray; robbed: boolean }[] = []
        for (const { kind, which } of steps) {
          const one = arrays[which % arrays.length]
          if (kind === 'take') {
            if (pool.available >= 2) arrays.push({ sga: allocateSga(pool, 300 + (which % 2) * 200), robbed: false })
          } else if (one === undefined || one.robbed || one.sga.freed) continue
          else if (kind === 'share') arrays.push({ sga: shareSga(one.sga), robbed: false })
          else if (kind === 'free') one.sga.free()
          else {
            // A release without a reference: when it is the last one, whoever has the frame in an array is robbed.
            const { frame } = one.sga.segments[0]
            if (pool.count(frame) > 1) continue
            pool.release(frame)
            one.robbed = true
          }
          for (const { sga, robbed } of arrays) if (!sga.freed) expect(sga.stale).toBe(robbed)
        }
        expect(pool.misuses).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  test('of no bytes is never stale', () => {
    const pool = new DebugFramePool(window())
    const empty = new ScatterGatherArray(pool, [])
    sgaFromText(pool, 'x').free()
    expect([empty.stale, empty.byteLength]).toEqual([false, 0])
    empty.free()
  })
})
