/**
 * What a packet costs from one queue's `transmit` to another's `receive`.
 *
 * One thread: two NICs send 512 packets back and forth, each in its own frame; a hop is one receive and one transmit. Cases
 * take turns, and the median of each one's rounds is shown with its smallest. Two threads: a worker transmits as fast as it
 * can, with flow control, and the main thread receives.
 */
import { Worker } from 'node:worker_threads'
import { MonotonicClock } from '@parakernel/hal'
import { createNetwork, type NicOptions } from '../src/index.ts'
import { forward, openStation, udpPacket } from './station.ts'

const ROUNDS = 15
const PACKETS = 200_000
const plain: NicOptions = { checksumVerify: false, hash: false, vlan: false, timestamps: false }

function oneThread(length: number, burst: number, options: NicOptions) {
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
  return () => {
    let packets = 0
    const start = performance.now()
    while (packets < PACKETS) packets += forward(b) + forward(a)
    return ((performance.now() - start) * 1e6) / packets
  }
}

async function twoThreads(length: number, burst: number, options: NicOptions): Promise<number> {
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
  for (let round = 0; round < ROUNDS; round++) {
    let packets = 0
    const start = performance.now()
    while (performance.now() - start < 50) {
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

const cases = [64, 1500].flatMap((length) =>
  [1, 8, 32, 128].flatMap((burst) => [
    { length, burst, offloads: 'all', run: oneThread(length, burst, {}), times: [] as number[] },
    { length, burst, offloads: 'none', run: oneThread(length, burst, plain), times: [] as number[] },
  ]),
)
for (let round = 0; round < ROUNDS; round++) for (const one of cases) one.times.push(one.run())
const median = (times: readonly number[]) => times.toSorted((a, b) => a - b)[times.length >> 1]
console.log('one thread, ns per packet and hop (receive + transmit)')
console.table(
  cases.map(({ length, burst, offloads, times }) => ({
    ...{ length, burst, offloads },
    median: Number(median(times).toFixed(1)),
    best: Number(Math.min(...times).toFixed(1)),
  })),
)

console.log('worker to main thread, million packets a second (best of rounds)')
const rows: object[] = []
for (const length of [64, 1500]) {
  for (const burst of [8, 32, 128]) {
    rows.push({
      ...{ length, burst },
      all: Number((await twoThreads(length, burst, {})).toFixed(2)),
      none: Number((await twoThreads(length, burst, plain)).toFixed(2)),
    })
  }
}
console.table(rows)
process.exit(0)
