import { NetBurst as Burst, END_OF_PACKET, type NetBurst, type NetQueue, REFUSED } from '@parakernel/hal'
import { expect } from 'vitest'
import { type Case, capable, type Group, incapable } from '../case.ts'
import type { Session } from '../session.ts'

/** Makes the descriptor in entry `at` bad. Answers what has to be released afterwards. */
type Spoil = (burst: NetBurst, at: number, queue: NetQueue) => void

const bad: readonly (readonly [what: string, spoil: Spoil])[] = [
  [
    'a frame below the window',
    (burst, at) => {
      burst.frame[at] = -1
    },
  ],
  [
    'a frame beyond the window',
    (burst, at, queue) => {
      burst.frame[at] = queue.pool.frameCount
    },
  ],
  [
    'a frame far beyond the window',
    (burst, at) => {
      burst.frame[at] = 0x7fff_ffff
    },
  ],
  [
    'a frame that is not held',
    (burst, at, queue) => {
      burst.frame[at] = freeFrame(queue)
    },
  ],
  [
    'a negative offset',
    (burst, at) => {
      burst.offset[at] = -8
    },
  ],
  [
    'data that ends beyond its frame',
    (burst, at, queue) => {
      burst.offset[at] = queue.pool.frameSize - 8
    },
  ],
  [
    'an offset beyond the frame',
    (burst, at) => {
      burst.offset[at] = 0x7fff_ff00
    },
  ],
  [
    'a negative length',
    (burst, at) => {
      burst.length[at] = -60
    },
  ],
  [
    'a length of zero',
    (burst, at) => {
      burst.length[at] = 0
    },
  ],
  [
    'a length beyond the frame',
    (burst, at, queue) => {
      burst.length[at] = queue.pool.frameSize + 1
    },
  ],
]

/** A bad descriptor is refused and counted; its frame stays the caller's, and its neighbours are sent. */
export const descriptors: Group = {
  name: 'descriptors',
  cases: [
    ...bad.map(
      ([what, spoil]): Case => ({
        title: `${what} is refused, alone`,
        run: (session) => refused(session, 1, [0], spoil, 'txInvalidDescriptors'),
      }),
    ),
    ...bad.map(
      ([what, spoil]): Case => ({
        title: `${what} is refused among good ones, which are sent`,
        run: (session) => refused(session, 9, [0, 4, 5, 8], spoil, 'txInvalidDescriptors'),
      }),
    ),
    {
      title: 'a misaligned offset is refused',
      unless: capable('alignment rule', ({ device }) => device.capabilities.transmitAlignment > 1),
      run: (session) =>
        refused(
          session,
          3,
          [1],
          (burst, at) => {
            burst.offset[at]++
          },
          'txInvalidDescriptors',
        ),
    },
    {
      title: 'an incomplete chain is refused',
      run: (session) =>
        refused(
          session,
          3,
          [2],
          (burst, at) => {
            burst.flags[at] &= ~END_OF_PACKET
          },
          'txInvalidDescriptors',
        ),
    },
    {
      title: 'a packet longer than the device takes is refused',
      unless: (fixture) => {
        const window = fixture.createWindow?.(1)
        const room = (window?.frameSize ?? 2048) - (window?.headroom ?? 262)
        return fixture.device.capabilities.maxPacket < room ? undefined : 'no frame holds a packet that is too long'
      },
      run: (session) =>
        refused(
          session,
          3,
          [1],
          (burst, at, queue) => {
            burst.length[at] = queue.capabilities.maxPacket + 1
          },
          'txTooLong',
        ),
    },
    {
      title: 'a chain on a device without chains is refused',
      unless: incapable('chains', ({ device }) => device.capabilities.maxChain > 1),
      run: async (session) => {
        const queue = await session.open()
        const burst = session.burst(4)
        for (let i = 0; i < 4; i++) session.load(queue, burst, session.outbound())
        burst.flags[1] &= ~END_OF_PACKET
        await expectRefused(session, queue, burst, [1, 2], 'txUnsupported', 1)
      },
    },
    {
      title: 'nothing but bad ones: all are consumed, none is sent',
      run: async (session) => {
        const queue = await session.open()
        const burst = session.burst(32)
        for (let i = 0; i < 32; i++) session.load(queue, burst, session.outbound())
        burst.length.fill(0)
        await expectRefused(session, queue, burst, [...burst.frame.keys()], 'txInvalidDescriptors', 32)
        await session.quiet()
        expect(await wireCount(session)).toBe(0)
      },
    },
    {
      title: 'rows of any numbers never throw, hang or leak',
      run: async (session) => {
        const queue = await session.open()
        const burst = new Burst(8, session.device.capabilities.columns)
        const odd = [-0x8000_0000, -1, 0, 1, 7, 2047, 2048, 2049, 65_535, 0x7fff_ffff]
        let state = session.seed | 1
        const next = () => {
          state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
          return (state >>> 8) % odd.length
        }
        const before = session.device.queueStatistics(0)
        let packets = 0
        for (let round = 0; round < 500; round++) {
          // A frame that is held (the device itself holds those that wait to be filled) would make a row good by chance.
          const frames = odd.filter((number) => !queue.pool.holds(number))
          burst.count = 8
          for (let i = 0; i < 8; i++) {
            burst.frame[i] = frames[next() % frames.length]
            burst.offset[i] = odd[next()]
            burst.length[i] = odd[next()]
            burst.flags[i] = END_OF_PACKET
          }
          // So every row is bad, whatever else it says.
          packets += 8
          expect(queue.transmit(burst)).toBe(8)
          expect(burst.refused).toBe(8)
        }
        const after = session.device.queueStatistics(0)
        expect(after.txInvalidDescriptors - before.txInvalidDescriptors).toBe(packets)
      },
    },
  ],
}

async function refused(
  session: Session,
  size: number,
  places: readonly number[],
  spoil: Spoil,
  counter: 'txInvalidDescriptors' | 'txTooLong' | 'txUnsupported',
): Promise<void> {
  const queue = await session.open()
  const burst = session.burst(size)
  const packets = Array.from({ length: size }, () => session.outbound())
  const frames = packets.map((packet) => session.load(queue, burst, packet))
  for (const at of places) spoil(burst, at, queue)
  await expectRefused(session, queue, burst, places, counter, places.length, frames)
  const good = packets.filter((_, i) => !places.includes(i))
  expect(await session.collect(good.length, [], () => queue.reap())).toEqual(good)
}

/** Transmits, and checks that exactly the entries at `places` are refused, counted as `packets`, and still the caller's. */
export async function expectRefused(
  session: Session,
  queue: NetQueue,
  burst: NetBurst,
  places: readonly number[],
  counter: 'txInvalidDescriptors' | 'txTooLong' | 'txUnsupported',
  packets: number,
  frames: readonly number[] = [...burst.frame.subarray(0, burst.count)],
): Promise<void> {
  const before = session.device.queueStatistics(queue.grant.queue)
  const { count } = burst
  expect(queue.transmit(burst)).toBe(count)
  expect(burst.refused).toBe(places.length)
  for (let i = 0; i < count; i++) {
    expect((burst.flags[i] & REFUSED) !== 0, `entry ${i}`).toBe(places.includes(i))
  }
  const after = session.device.queueStatistics(queue.grant.queue)
  expect(after[counter] - before[counter]).toBe(packets)
  // Releasing throws in the debug pool if the device had taken one of them.
  for (const at of places) queue.pool.release(frames[at])
}

function freeFrame(queue: NetQueue): number {
  for (let frame = queue.pool.frameCount - 1; frame >= 0; frame--) if (!queue.pool.holds(frame)) return frame
  throw new Error('no frame is free')
}

async function wireCount(session: Session): Promise<number> {
  const packets: Uint8Array[] = []
  await session.collectSome(packets)
  return packets.length
}
