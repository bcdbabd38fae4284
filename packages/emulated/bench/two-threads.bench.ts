/**
 * Packets a second between threads: a worker transmits as fast as it can, with flow control, and the main thread receives.
 * Needs two free cores.
 */
import { Worker } from 'node:worker_threads'
import { MonotonicClock } from '@parakernel/hal'
import { type BenchCase, benchCases } from '@parakernel/tool-bench'
import { createNetwork, type NicOptions } from '../src/index.ts'
import { openStation, PLAIN, udpPacket } from './station.ts'

const TRIALS = 15
const TRIAL_MS = 50

async function millionPerSecond(length: number, burst: number, options: NicOptions): Promise<number> {
  const clock = new MonotonicClock()
  const network = createNetwork({ clock })
  const receiver = openStation(network, clock, { ...options, flowControl: true }, burst)
  const sender = openStation(network, clock, options, burst)
  const { window } = sender.queue.grant
  sender.queue.detach()
  const worker = new Worker(new URL('./forward-worker.ts', import.meta.url), {
    workerData: {
      grant: sender.nic.grant(0, window),
      packet: udpPacket(length, sender.nic.mac, receiver.nic.mac),
      burst,
    },
  })
  await new Promise((resolve) => worker.once('message', resolve))
  const { queue, pool } = receiver
  let best = 0
  for (let trial = 0; trial < TRIALS; trial++) {
    let packets = 0
    const start = performance.now()
    while (performance.now() - start < TRIAL_MS) {
      for (let poll = 0; poll < 64; poll++) {
        const count = queue.receive(receiver.burst)
        for (let i = 0; i < count; i++) pool.release(receiver.burst.frame[i])
        packets += count
      }
    }
    best = Math.max(best, packets / (performance.now() - start) / 1000)
  }
  await worker.terminate()
  await network.close()
  return best
}

const cases: Record<string, BenchCase> = {}
for (const length of [64, 1500]) {
  for (const burst of [8, 32, 128]) {
    cases[`${length} B, bursts of ${burst}, no offloads`] = () => millionPerSecond(length, burst, PLAIN)
    cases[`${length} B, bursts of ${burst}, all offloads`] = () => millionPerSecond(length, burst, {})
  }
}
await benchCases(
  import.meta,
  { title: 'emulated NIC: worker to main thread', unit: 'M packets/s', better: 'more' },
  cases,
)
