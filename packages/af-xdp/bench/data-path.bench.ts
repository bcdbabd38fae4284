/**
 * What our own code costs a packet, without any kernel: receive, transmit and forward over rings in ordinary memory, whose
 * other side a few lines of JavaScript play. Their few nanoseconds are included. Needs Linux, but no privilege.
 */
import { NetBurst } from '@parakernel/hal'
import { type BenchCase, benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { FakeKernel } from './fake-kernel.ts'

const BURST = 32
const ROUNDS = 20_000

type Round = (kernel: FakeKernel, burst: NetBurst) => void

function receive({ queue }: FakeKernel, burst: NetBurst): void {
  queue.receive(burst)
  for (let i = 0; i < burst.count; i++) queue.pool.release(burst.frame[i])
}

function transmit({ queue }: FakeKernel, burst: NetBurst): void {
  burst.count = 0
  while (burst.count < BURST) burst.push(queue.pool.allocate(), queue.pool.headroom, 64)
  queue.transmit(burst)
}

/** Nanoseconds of a round, after every kind of round ran: a queue is used for both directions. */
function time(round: Round): number {
  const kernel = new FakeKernel()
  const burst = new NetBurst(BURST)
  for (let i = 0; i < 2000; i++) {
    kernel.deliver(BURST, 64)
    receive(kernel, burst)
    transmit(kernel, burst)
    kernel.send()
  }
  const best = bestNanoseconds(ROUNDS, (rounds) => {
    for (let i = 0; i < rounds; i++) round(kernel, burst)
  })
  kernel.queue.reap()
  kernel.close()
  return best
}

const cases: Record<string, BenchCase> = {
  'receive, release, refill': () =>
    time((kernel, burst) => {
      kernel.deliver(BURST, 64)
      receive(kernel, burst)
    }) / BURST,
  'allocate, transmit, complete': () =>
    time((kernel, burst) => {
      transmit(kernel, burst)
      kernel.send()
    }) / BURST,
  'forward: receive, transmit, complete, refill': () =>
    time((kernel, burst) => {
      kernel.deliver(BURST, 64)
      kernel.queue.receive(burst)
      kernel.queue.transmit(burst)
      kernel.send()
    }) / BURST,
  'a poll that finds nothing (whole poll)': () => time(({ queue }, burst) => void queue.receive(burst)),
}

await benchCases(
  import.meta,
  {
    title: 'AF_XDP: own code, no kernel',
    unit: 'ns per packet',
    better: 'less',
    unavailable: () => (process.platform === 'linux' ? undefined : 'needs Linux'),
  },
  cases,
)
