/**
 * What our own code costs a packet, without any kernel: receive, transmit and forward over rings in ordinary memory, whose
 * other side a few lines of JavaScript play. Their few nanoseconds are included. Needs Linux, but no privilege.
 *
 *     pnpm exec node --conditions=source packages/af-xdp/bench/data-path.bench.ts
 */
import { NetBurst } from '@parakernel/hal'
import { FakeKernel } from './fake-kernel.ts'

const BURST = 32
const ROUNDS = 20_000
const TRIALS = 15

const kernel = new FakeKernel()
const { queue } = kernel
const { pool } = queue
const burst = new NetBurst(BURST)

function receive(): void {
  queue.receive(burst)
  for (let i = 0; i < burst.count; i++) pool.release(burst.frame[i])
}

function allocate(): void {
  burst.count = 0
  while (burst.count < BURST) burst.push(pool.allocate(), pool.headroom, 64)
}

/** Best time of several trials: nanoseconds a packet. */
function time(round: () => void): number {
  let best = Number.POSITIVE_INFINITY
  for (let trial = 0; trial < TRIALS; trial++) {
    const start = performance.now()
    for (let i = 0; i < ROUNDS; i++) round()
    best = Math.min(best, performance.now() - start)
  }
  return (best * 1e6) / (ROUNDS * BURST)
}

const cases: [string, () => void][] = [
  [
    'receive, release, refill',
    () => {
      kernel.deliver(BURST, 64)
      receive()
    },
  ],
  [
    'allocate, transmit, complete',
    () => {
      allocate()
      queue.transmit(burst)
      kernel.send()
    },
  ],
  [
    'forward: receive, transmit, complete, refill',
    () => {
      kernel.deliver(BURST, 64)
      queue.receive(burst)
      queue.transmit(burst)
      kernel.send()
    },
  ],
  ['an empty poll, a poll', () => void queue.receive(burst)],
]
for (const [, round] of cases) for (let i = 0; i < 2000; i++) round()
for (const [name, round] of cases) {
  const perPacket = name.includes('a poll') ? time(round) * BURST : time(round)
  console.log(`${name.padEnd(46)} ${perPacket.toFixed(1).padStart(7)} ns`)
}
queue.reap()
kernel.close()
