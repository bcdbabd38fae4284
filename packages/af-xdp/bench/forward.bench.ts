/**
 * What a packet costs over a veth pair, in native mode: transmitted only, received only, and forwarded. The peer is a
 * second AF_XDP socket in its own namespace and thread. Needs two free cores.
 */
import { Worker } from 'node:worker_threads'
import { CHECKSUM_WANTED, createPlainWindow, FramePool, MonotonicClock, NetBurst, type NetQueue } from '@parakernel/hal'
import { createVethPair, probeLab, type VethPair } from '@parakernel/linux'
import { benchCases } from '@parakernel/tool-bench'
import { AfXdpDevice, type AfXdpOptions, backend } from '../src/index.ts'

const WARM_UP_MS = 700
const MEASURE_MS = 2500
const BURST = 32
const SAMPLES = 65_536

const clock = new MonotonicClock()
const moduleUrl = new URL('../src/backend.ts', import.meta.url).href

/** Nanoseconds are per packet. */
type Result = {
  /** Median time of a round that moved a whole burst: what the calls themselves take. */
  readonly value: number
  readonly Mpps: number
  /** Wall time of this thread, which spins: waiting and other jobs on the core included. */
  readonly 'wall ns': number
  /** CPU time of this thread: JavaScript and the FFI; then the kernel in its name, softirq included. */
  readonly 'user ns': number
  readonly 'kernel ns': number
  readonly 'calls/packet': number
  readonly dropped: number
}

/** Polls `round` for a while; it returns the packets that it moved. */
function measure(queue: NetQueue, device: AfXdpDevice, round: () => number): Result {
  const samples = new Float64Array(SAMPLES)
  let taken = 0
  const run = (milliseconds: number) => {
    let packets = 0
    taken = 0
    let now = performance.now()
    const end = now + milliseconds
    while (now < end) {
      const moved = round()
      const after = performance.now()
      if (moved === BURST && taken < SAMPLES) samples[taken++] = after - now
      now = after
      packets += moved
    }
    return packets
  }
  run(WARM_UP_MS)
  const calls = queue.counters.get('wakeUps')
  const drops = dropped(device)
  const cpu = process.threadCpuUsage()
  const start = performance.now()
  const packets = run(MEASURE_MS)
  const wall = performance.now() - start
  const { user, system } = process.threadCpuUsage(cpu)
  if (packets === 0) throw new Error('no packet moved')
  if (taken === 0) throw new Error('no whole burst moved')
  return {
    value: (samples.subarray(0, taken).sort()[taken >> 1] * 1e6) / BURST,
    Mpps: packets / wall / 1e3,
    'wall ns': (wall * 1e6) / packets,
    'user ns': (user * 1e3) / packets,
    'kernel ns': (system * 1e3) / packets,
    'calls/packet': (queue.counters.get('wakeUps') - calls) / packets,
    dropped: dropped(device) - drops,
  }
}

function dropped(device: AfXdpDevice): number {
  const { rxDroppedNoFrame, rxDroppedRingFull, rxDroppedTooLong, txDropped } = device.statistics()
  return rxDroppedNoFrame + rxDroppedRingFull + rxDroppedTooLong + txDropped
}

function transmitOnly(queue: NetQueue, length: number): () => number {
  const { pool } = queue
  const burst = new NetBurst(BURST, queue.capabilities.columns)
  const asks = queue.capabilities.checksum.computes
  return () => {
    burst.count = 0
    while (burst.count < burst.capacity) {
      const frame = pool.allocate()
      if (frame < 0) break
      pool.view.setInt32(pool.address(frame) + pool.headroom, -1)
      pool.view.setInt16(pool.address(frame) + pool.headroom + 4, -1)
      pool.view.setUint16(pool.address(frame) + pool.headroom + 12, 0x88b5)
      burst.push(frame, pool.headroom, length)
      if (!asks) continue
      const i = burst.count - 1
      burst.flags[i] |= CHECKSUM_WANTED
      burst.checksumStart[i] = 34
      burst.checksumOffset[i] = 6
    }
    const sent = queue.transmit(burst)
    for (let i = sent; i < burst.count; i++) pool.release(burst.frame[i])
    return sent
  }
}

function receiveOnly(queue: NetQueue): () => number {
  const burst = new NetBurst(BURST)
  return () => {
    queue.receive(burst)
    for (let i = 0; i < burst.count; i++) queue.pool.release(burst.frame[i])
    return burst.count
  }
}

function forward(queue: NetQueue): () => number {
  const burst = new NetBurst(BURST)
  return () => {
    if (queue.receive(burst) === 0) return 0
    const sent = queue.transmit(burst)
    for (let i = sent; i < burst.count; i++) queue.pool.release(burst.frame[i])
    return sent
  }
}

/** Opens the far end inside the namespace and runs it in a worker. */
async function startFarEnd(pair: VethPair, flood: boolean): Promise<() => Promise<void>> {
  const device = pair.inside(() => new AfXdpDevice({ interface: pair.peer, take: 'all' }, { clock }, moduleUrl))
  const grant = pair.inside(() => device.grant(0, createPlainWindow(8192)))
  const worker = new Worker(new URL('./far-end.ts', import.meta.url), { workerData: { grant, flood } })
  await new Promise((resolve) => worker.once('message', resolve))
  return async () => {
    await worker.terminate()
    await device.close()
  }
}

async function run(
  far: 'none' | 'sink' | 'flood',
  rounds: (queue: NetQueue) => () => number,
  options: Partial<AfXdpOptions> = {},
) {
  const pair = createVethPair({ label: 'bnch' })
  const device = (await backend.open({ interface: pair.interface, take: 'all', ...options }, { clock })) as AfXdpDevice
  const window = createPlainWindow(8192)
  const queue = backend.attach(device.grant(0, window), { pool: new FramePool(window), clock })
  const stop = far === 'none' ? async () => {} : await startFarEnd(pair, far === 'flood')
  try {
    return measure(queue, device, rounds(queue))
  } finally {
    queue.detach()
    await stop()
    await device.close()
    pair.remove()
  }
}

await benchCases(
  import.meta,
  {
    title: 'AF_XDP over veth: whole bursts of 32',
    unit: 'ns per packet',
    better: 'less',
    unavailable: () => {
      const lab = probeLab()
      return lab.available ? undefined : `needs ${lab.missing}. ${lab.remedy}`
    },
  },
  {
    'transmit 64 B, peer kernel drops': () => run('none', (queue) => transmitOnly(queue, 64)),
    'transmit 1500 B, peer kernel drops': () => run('none', (queue) => transmitOnly(queue, 1500)),
    'transmit 1500 B, checksums left to the driver': () =>
      run('none', (queue) => transmitOnly(queue, 1500), { transmitChecksum: 'metadata' }),
    'transmit 1500 B, the kernel sums': () =>
      run('none', (queue) => transmitOnly(queue, 1500), { transmitChecksum: 'kernel' }),
    'transmit 64 B to an AF_XDP peer': () => run('sink', (queue) => transmitOnly(queue, 64)),
    'receive 64 B from an AF_XDP peer': () => run('flood', receiveOnly),
    'forward 64 B back to an AF_XDP peer': () => run('flood', forward),
  },
)
