import { createPlainWindow, DebugFramePool } from '@parakernel/hal'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ReceiveBuffer } from '../src/stream/receive-buffer.ts'

const steps = fc.array(
  fc.oneof(
    fc.record({ push: fc.uint8Array({ maxLength: 5000 }) }),
    fc.record({ take: fc.integer({ min: 1, max: 9000 }) }),
    fc.record({ copy: fc.tuple(fc.nat(4000), fc.nat(4000)) }),
    fc.record({ drop: fc.nat(4000) }),
  ),
  { maxLength: 40 },
)

it('is a queue of bytes, whatever the pieces, and takes no more frames than it hands out', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const pool = new DebugFramePool(createPlainWindow(8))
      const buffer = new ReceiveBuffer()
      let model: number[] = []
      for (const step of all) {
        if ('push' in step) {
          buffer.push(step.push)
          model.push(...step.push)
        } else if ('take' in step) {
          const sga = buffer.take(step.take, pool)
          const bytes = sga?.toBytes() ?? new Uint8Array(0)
          expect([...bytes]).toEqual(model.slice(0, bytes.byteLength))
          // What it does not give is not there, not wanted, or finds no frame.
          const room = 8 * (pool.frameSize - pool.headroom - pool.window.tailroom)
          expect(bytes.byteLength).toBe(Math.min(step.take, model.length, room))
          model = model.slice(bytes.byteLength)
          sga?.free()
        } else if ('copy' in step) {
          const [skip, wanted] = step.copy
          const length = Math.max(0, Math.min(wanted, model.length - skip))
          const out = new Uint8Array(length + 3)
          if (length > 0) buffer.copy(skip, length, out, 3)
          expect([...out.subarray(3)]).toEqual(model.slice(skip, skip + length))
        } else {
          const length = Math.min(step.drop, model.length)
          buffer.drop(length)
          model = model.slice(length)
        }
        expect(buffer.bytes).toBe(model.length)
      }
      expect(pool.report()).toBe('')
    }),
    { numRuns: 300 },
  )
})
