import type { NetOptions } from '@parakernel/net'
import { bulk } from './bulk.ts'
import { World } from './world.ts'

const MILLISECOND = 1e6
/** Bits a second of each link: packets of a burst arrive one after the other, as they do anywhere. */
const LINK_RATE = 1e9
const FRAMES = 2048
/** Short, so that the send buffer is full to the last bytes. */
const WRITE = 512

export type CongestionControl = 'cubic' | 'newreno' | 'none'

/** One cell of the grid: a single flow over a path that loses and reorders packets at random, in both directions alike. */
export interface GoodputCase {
  readonly congestionControl: CongestionControl
  /** Send and receive buffer, bytes. */
  readonly buffer: number
  /** Probability for each packet, acknowledgments included. */
  readonly loss: number
  /** Milliseconds. */
  readonly roundTrip: number
  /** Probability that a packet waits for a quarter of a round trip more than the others. */
  readonly reorder: number
}

/** Further options of both libOSes, for experiments. */
export type Extra = Partial<NetOptions>

function fixedBuffers(size: number): Extra {
  return {
    ...{ tcpReceiveBufferMinimum: size, tcpReceiveBufferInitial: size, tcpReceiveBufferMaximum: size },
    ...{ tcpSendBufferMinimum: size, tcpSendBufferInitial: size, tcpSendBufferMaximum: size },
  }
}

/**
 * Bytes a second that the receiving application gets, from the first SYN on. Runs until `bytes` have arrived, or for `limit`
 * seconds of virtual time.
 */
export async function goodput(
  one: GoodputCase,
  seed: number,
  bytes: number,
  limit: number,
  extra: Extra = {},
): Promise<number> {
  const world = new World()
  const delay = (one.roundTrip / 2) * MILLISECOND
  const options = { ...fixedBuffers(one.buffer), tcpCongestionControl: one.congestionControl, ...extra }
  const setup = (address: string, which: number) => ({
    address,
    options,
    frames: FRAMES,
    faults: {
      seed: seed * 2 + which,
      receive: { loss: one.loss, reorder: one.reorder, reorderDelay: delay / 2, delay },
      // What the rate limit delays must not be lost by it.
      transmit: { rate: LINK_RATE, rateLatency: 10 * 1e9 },
    },
  })
  const source = await world.host(setup('10.0.0.1', 0))
  const sink = await world.host(setup('10.0.0.2', 1))
  const { flows, duration } = bulk(world, source, sink, { flows: 1, bytes, write: WRITE }, limit * 1e9)
  await world.close()
  return flows.length === 0 ? 0 : flows[0].received / (duration / 1e9)
}
