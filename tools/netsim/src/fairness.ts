import { bulk } from './bulk.ts'
import type { CongestionControl } from './goodput.ts'
import { World } from './world.ts'

/** Bits a second of the bottleneck. */
const RATE = 200e6
const ROUND_TRIP = 20e6
/** What its queue holds, as time at its rate: two round trips' worth. A packet that finds it full is dropped. */
const QUEUE = 40e6
const FRAMES = 32_768
const CAPACITY = 16_384
const WRITE = 1400

export interface FairnessCase {
  readonly congestionControl: CongestionControl
  readonly flows: number
  /** Seconds. */
  readonly duration: number
}

export interface Fairness {
  /** Jain's index of what the flows got: 1 when all got the same, 1/n when one got everything. */
  readonly index: number
  /** Share of the bottleneck that arrived as payload. */
  readonly utilisation: number
  /** Share of the data packets that the full queue dropped. */
  readonly drops: number
}

export function jain(shares: readonly number[]): number {
  const sum = shares.reduce((a, b) => a + b, 0)
  const squares = shares.reduce((a, b) => a + b * b, 0)
  return squares === 0 ? 0 : (sum * sum) / (shares.length * squares)
}

/** Several flows from one host to another through a bottleneck with a drop-tail queue; buffers tuned by the stack itself. */
export async function fairness(one: FairnessCase, seed: number): Promise<Fairness> {
  const world = new World()
  const options = { tcpCongestionControl: one.congestionControl }
  const delay = { delay: ROUND_TRIP / 2 }
  const source = await world.host({
    ...{ address: '10.0.0.1', options, frames: FRAMES },
    faults: { seed, capacity: CAPACITY, receive: delay, transmit: { rate: RATE, rateLatency: QUEUE } },
  })
  const sink = await world.host({
    ...{ address: '10.0.0.2', options, frames: FRAMES },
    faults: { seed: seed + 1, capacity: CAPACITY, receive: delay },
  })
  const { flows } = bulk(
    world,
    source,
    sink,
    { flows: one.flows, bytes: Number.POSITIVE_INFINITY, write: WRITE },
    one.duration * 1e9,
  )
  const { txPackets, txDropped } = source.device.statistics()
  const result = {
    index: jain(Array.from({ length: one.flows }, (_, i) => flows[i]?.received ?? 0)),
    utilisation: (flows.reduce((sum, flow) => sum + flow.received, 0) * 8) / (RATE * one.duration),
    drops: txDropped / (txPackets + txDropped),
  }
  await world.close()
  return result
}
