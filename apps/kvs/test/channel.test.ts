import { createRing, type PartitionContext } from '@parakernel/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Channel } from '../src/server/channel.ts'
import { channelOf } from '../src/server/ring-ports.ts'

function pair(slots: number, slotBytes: number): [Channel, Channel] {
  const wake = () => new SharedArrayBuffer(64)
  const there = createRing({ slots, slotBytes, wake: wake() })
  const back = createRing({ slots, slotBytes, wake: wake() })
  const context = (incoming: unknown[], outgoing: unknown[]) =>
    ({ incoming, outgoing, partitions: 2, host: undefined }) as unknown as PartitionContext
  return [
    channelOf(context([undefined, back], [undefined, there]))!,
    channelOf(context([there, undefined], [back, undefined]))!,
  ]
}

describe('channel over the rings of the kernel', () => {
  it('carries messages of any length, whole and in order, or not at all', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(5000), { maxLength: 30 }), (lengths) => {
        const [left, right] = pair(16, 256)
        const received: string[] = []
        right.on(7, (from, message, length) =>
          received.push(`${from} ${Buffer.from(message.subarray(0, length)).toString('hex')}`),
        )
        const expected: string[] = []
        for (const [i, length] of lengths.entries()) {
          const message = Uint8Array.from({ length }, (_, at) => (at * 31 + i) & 255)
          expect(right.arm()).toBe(false)
          const sent = left.send(1, 7, message, length)
          // 16 slots of 256 - 8 - 16 bytes.
          expect(sent).toBe(Math.ceil(length / 232) <= 16)
          if (sent) {
            expected.push(`0 ${Buffer.from(message).toString('hex')}`)
            expect(right.arm()).toBe(true)
          }
          while (right.poll(0) > 0);
        }
        expect(received).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })

  it('says no when the ring is full, and goes on when there is room again', () => {
    const [left, right] = pair(4, 256)
    const message = new Uint8Array(100)
    for (let i = 0; i < 4; i++) expect(left.send(1, 1, message, 100)).toBe(true)
    expect(left.send(1, 1, message, 100)).toBe(false)
    expect(left.send(0, 1, message, 100)).toBe(false)
    expect(right.poll(0)).toBe(4)
    expect(left.send(1, 1, message, 100)).toBe(true)
  })
})
