import { expect } from 'vitest'
import { type Group, stalls } from '../case.ts'
import { sequenceOf } from '../packets.ts'
import type { Received } from '../received.ts'
import type { Session } from '../session.ts'

/** Rings that are full, pools that are dry: refused or dropped with a count, and over when the cause is. */
export const pressure: Group = {
  name: 'pressure',
  cases: [
    {
      title: 'a full transmit ring takes less, counts it, and loses nothing',
      unless: stalls,
      run: async (session) => {
        // More frames than the ring and whatever a decorator holds back.
        const queue = await session.open(0, { frames: 4 * session.device.capabilities.ringSize + 1024 })
        const { wire } = session
        const before = session.device.queueStatistics(0)
        await wire.stall?.(true)
        const packets: Uint8Array[] = []
        const burst = session.burst()
        let short = false
        while (!short && queue.pool.available >= burst.capacity) {
          burst.count = 0
          const offered = Array.from({ length: 32 }, () => session.outbound())
          const frames = offered.map((packet) => session.load(queue, burst, packet))
          const done = queue.transmit(burst)
          expect(burst.refused).toBe(0)
          packets.push(...offered.slice(0, done))
          for (const frame of frames.slice(done)) queue.pool.release(frame)
          short = done < 32
          await session.advance()
        }
        expect(short, 'transmit took less than it was offered').toBe(true)
        expect(session.device.queueStatistics(0).txRingFull).toBeGreaterThan(before.txRingFull)
        await wire.stall?.(false)
        expect(await session.collect(packets.length, [], () => queue.reap())).toEqual(packets)
        const after = session.device.queueStatistics(0)
        expect(after.txPackets - before.txPackets).toBe(packets.length)
        expect(after.txDropped).toBe(before.txDropped)
        const last = session.outbound()
        await session.transmit(queue, [last])
        expect(await session.collect(1, [], () => queue.reap())).toEqual([last])
      },
    },
    {
      title: 'a holder that does not receive: every packet is delivered later or counted as dropped',
      unless: ({ wire }) => (wire.lossless ? undefined : 'the wire itself may lose packets under overload'),
      run: async (session) => {
        const queue = await session.open()
        const before = session.device.queueStatistics(0)
        const total = session.device.capabilities.ringSize * 2
        for (let sent = 0; sent < total; sent += 32) {
          await session.send(Array.from({ length: 32 }, () => session.inbound()))
          await session.advance()
        }
        const { received, dropped } = await settle(session, queue, before, total)
        expect(received.length + dropped).toBe(total)
        expect(received.length).toBeGreaterThan(0)
        expectInOrder(session, received)
        const [one] = await trySend(session, queue)
        expect(one).toBeDefined()
      },
    },
    {
      title: 'frames run out: packets wait or are counted as dropped, and traffic flows again when frames come back',
      unless: ({ wire }) => (wire.lossless ? undefined : 'the wire itself may lose packets under overload'),
      run: async (session) => {
        const queue = await session.open(0, { frames: 16 })
        const before = session.device.queueStatistics(0)
        const burst = session.burst()
        const held: number[] = []
        const hold = () => {
          queue.receive(burst)
          held.push(...burst.frame.subarray(0, burst.count))
          burst.count = 0
        }
        // More than frames and ring together can hold: what waits in the ring is delivered later, the rest is counted.
        const total = 2 * session.device.capabilities.ringSize + 64
        let sent = 0
        for (; sent < total; sent += 8) {
          await session.send(Array.from({ length: 8 }, () => session.inbound()))
          await session.advance()
          hold()
        }
        await session.quiet()
        hold()
        expect(held.length).toBeLessThanOrEqual(16)
        expect(queue.pool.available + held.length).toBeLessThanOrEqual(16)
        for (const frame of held) queue.pool.release(frame)
        const { received, dropped } = await settle(session, queue, before, sent - held.length)
        expect(held.length + received.length + dropped).toBe(sent)
        for (let i = 0; i < 3; i++) expect(await trySend(session, queue)).toHaveLength(1)
      },
    },
    {
      title: 'a pool that is dry when the queue is attached gets its frames later',
      run: async (session) => {
        const { DebugFramePool } = await import('@parakernel/hal')
        const grant = session.grant(0, session.createWindow(16))
        const pool = new DebugFramePool(grant.window)
        const taken = Array.from({ length: 16 }, () => pool.allocate())
        const queue = await session.attachWith(grant, pool)
        expect(queue.receive(session.burst())).toBe(0)
        for (const frame of taken) pool.release(frame)
        // A device fills its ring when its holder calls, and not before.
        expect(queue.receive(session.burst())).toBe(0)
        for (let i = 0; i < 3; i++) expect(await trySend(session, queue)).toHaveLength(1)
        queue.detach()
        expect(pool.report()).toBe('')
      },
    },
    {
      title: 'the devices reserve keeps receiving alive when the application hoards',
      run: async (session) => {
        const { DebugFramePool } = await import('@parakernel/hal')
        const grant = session.grant()
        const pool = new DebugFramePool(grant.window, { deviceReserve: 32 })
        const hoard: number[] = []
        for (let frame = pool.allocate(); frame >= 0; frame = pool.allocate()) hoard.push(frame)
        expect(pool.belowWatermark).toBe(true)
        const queue = await session.attachWith(grant, pool)
        for (let i = 0; i < 100; i++) expect(await trySend(session, queue)).toHaveLength(1)
        for (const frame of hoard) pool.release(frame)
        queue.detach()
        expect(pool.report()).toBe('')
      },
    },
  ],
}

type Statistics = ReturnType<Session['device']['queueStatistics']>

function drops(session: Session, before: Statistics): number {
  const now = session.device.queueStatistics(0)
  let total = 0
  for (const name of ['rxDroppedNoFrame', 'rxDroppedRingFull', 'rxDroppedTooLong', 'rxDroppedFilter'] as const) {
    total += now[name] - before[name]
  }
  return total
}

/** Receives until `total` packets are delivered or counted as dropped. */
async function settle(
  session: Session,
  queue: Awaited<ReturnType<Session['open']>>,
  before: Statistics,
  total: number,
) {
  const received: Received[] = []
  const burst = session.burst()
  await session.until(`${total} packets delivered or counted`, () => {
    session.receiveSome(queue, burst, received)
    return received.length + drops(session, before) >= total
  })
  await session.quiet()
  while (session.receiveSome(queue, burst, received) > 0);
  return { received, dropped: drops(session, before) }
}

function expectInOrder(session: Session, received: readonly Received[]): void {
  const sequences = received.map((packet) => sequenceOf(packet.bytes, session.run))
  expect(sequences).toEqual(sequences.toSorted((a, b) => a - b))
}

async function trySend(session: Session, queue: Awaited<ReturnType<Session['open']>>): Promise<Received[]> {
  const packet = session.inbound(90)
  await session.send([packet])
  const received = await session.receive(queue, 1)
  expect(received[0].bytes).toEqual(packet)
  return received
}
