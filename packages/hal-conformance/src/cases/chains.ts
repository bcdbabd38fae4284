import { createPlainWindow, END_OF_PACKET, type FrameWindow, ParakernelError } from '@parakernel/hal'
import { expect } from 'vitest'
import { capable, type Group } from '../case.ts'
import type { Session } from '../session.ts'
import { expectRefused } from './descriptors.ts'

const chains = capable('chains', ({ device }) => device.capabilities.maxChain > 1)

/** Packets of several entries. */
export const chained: Group = {
  name: 'chains',
  cases: [
    {
      title: 'transmits a packet of several entries, whole and in order with its neighbours',
      unless: chains,
      run: async (session) => {
        const queue = await session.open()
        const most = Math.min(4, session.device.capabilities.maxChain)
        for (let pieces = 2; pieces <= most; pieces++) {
          const burst = session.burst(pieces + 2)
          const packets = [session.outbound(), session.outbound(700), session.outbound()]
          session.load(queue, burst, packets[0])
          loadChain(session, queue, burst, packets[1], pieces)
          session.load(queue, burst, packets[2])
          expect(queue.transmit(burst)).toBe(pieces + 2)
          expect(burst.refused).toBe(0)
          expect(await session.collect(3, [], () => queue.reap())).toEqual(packets)
        }
      },
    },
    {
      title: 'refuses a chain that is too long',
      unless: chains,
      run: async (session) => {
        const queue = await session.open()
        const pieces = session.device.capabilities.maxChain + 1
        const burst = session.burst(pieces)
        loadChain(session, queue, burst, session.outbound(Math.max(60, pieces)), pieces)
        await expectRefused(session, queue, burst, [...burst.frame.keys()], 'txUnsupported', 1)
      },
    },
    {
      title: 'refuses a chain with one bad entry as a whole',
      unless: chains,
      run: async (session) => {
        const queue = await session.open()
        const burst = session.burst(4)
        loadChain(session, queue, burst, session.outbound(600), 2)
        const good = session.outbound()
        session.load(queue, burst, good)
        burst.length[1] = 0
        await expectRefused(session, queue, burst, [0, 1], 'txInvalidDescriptors', 1)
        expect(await session.collect(1, [], () => queue.reap())).toEqual([good])
      },
    },
    {
      title: 'delivers a packet longer than a frame as a chain, whole',
      unless: chains,
      run: async (session) => {
        const window = smallFrames(session)
        if (window === undefined) return 'the device takes no frames shorter than a packet'
        const queue = await session.open(0, { window })
        const packets = [session.inbound(1400), session.inbound(60), session.inbound(1200)]
        for (const packet of packets) await session.send([packet])
        const received = await session.receive(queue, 3)
        expect(received.map(({ bytes }) => bytes)).toEqual(packets)
        expect(received[0].entries).toBeGreaterThan(1)
        expect(received[1].entries).toBe(1)
      },
    },
    {
      title: 'keeps a chain for the next burst when it does not fit whole',
      unless: chains,
      run: async (session) => {
        const window = smallFrames(session)
        if (window === undefined) return 'the device takes no frames shorter than a packet'
        const queue = await session.open(0, { window })
        const room = window.frameSize - window.headroom - window.tailroom
        const entries = Math.ceil(1400 / room)
        const packets = Array.from({ length: 4 }, () => session.inbound(1400))
        await session.send(packets)
        const received = await session.receive(queue, 4, session.burst(entries + 1))
        expect(received.map(({ bytes }) => bytes)).toEqual(packets)
      },
    },
  ],
}

function loadChain(
  session: Session,
  queue: Awaited<ReturnType<Session['open']>>,
  burst: ReturnType<Session['burst']>,
  packet: Uint8Array,
  pieces: number,
): void {
  const size = Math.ceil(packet.length / pieces)
  for (let i = 0; i < pieces; i++) {
    const from = Math.min(i * size, packet.length - (pieces - i))
    const to = i === pieces - 1 ? packet.length : Math.min((i + 1) * size, packet.length - (pieces - i - 1))
    session.load(queue, burst, packet.subarray(from, to))
    if (i < pieces - 1) burst.flags[burst.count - 1] &= ~END_OF_PACKET
  }
}

/** A window whose frames are shorter than the packets; undefined where the device takes no such frames. */
function smallFrames(session: Session): FrameWindow | undefined {
  const frames = 3 * session.device.capabilities.ringSize + 64
  const options = { frameSize: 768 }
  try {
    const window = session.fixture.createWindow?.(frames, options) ?? createPlainWindow(frames, options)
    session.device.reclaim(session.device.grant(0, window))
    return window
  } catch (error) {
    if (error instanceof ParakernelError && error.code === 'EINVAL') return undefined
    throw error
  }
}
