/**
 * What a packet costs from one queue's `transmit` to another's `receive`, in one thread: two NICs send 256 packets back and
 * forth, each in its own frame; a hop is one receive, one rewrite of the addresses and one transmit.
 */
import { MonotonicClock } from '@parakernel/hal'
import { type BenchCase, benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { createNetwork, type NicOptions } from '../src/index.ts'
import { forward, openStation, PLAIN, udpPacket } from './station.ts'

const PACKETS = 200_000

function hop(length: number, burst: number, options: NicOptions): number {
  const clock = new MonotonicClock()
  const network = createNetwork({ clock })
  const [a, b] = [openStation(network, clock, options, burst), openStation(network, clock, options, burst)]
  const packet = udpPacket(length, a.nic.mac, b.nic.mac)
  const fill = Math.ceil(256 / burst)
  for (let n = 0; n < fill; n++) {
    a.burst.count = 0
    for (let i = 0; i < burst; i++) {
      const frame = a.pool.allocate()
      a.pool.bytes.set(packet, a.pool.address(frame) + a.pool.headroom)
      a.burst.push(frame, a.pool.headroom, length)
    }
    a.queue.transmit(a.burst)
  }
  return bestNanoseconds(PACKETS, (count) => {
    for (let packets = 0; packets < count; ) packets += forward(b) + forward(a)
  })
}

const cases: Record<string, BenchCase> = {}
for (const length of [64, 1500]) {
  for (const burst of [1, 8, 32, 128]) {
    cases[`${length} B, bursts of ${burst}, no offloads`] = () => hop(length, burst, PLAIN)
    cases[`${length} B, bursts of ${burst}, all offloads`] = () => hop(length, burst, {})
  }
}
await benchCases(
  import.meta,
  {
    title: 'emulated NIC: forward',
    unit: 'ns per packet',
    better: 'less',
    baseline: '64 B, bursts of 32, no offloads',
  },
  cases,
)
