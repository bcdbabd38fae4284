/**
 * What a packet costs over TAP: transmitted only, received only, forwarded; and what a byte costs in super-frames. The far end
 * is a second TAP on a bridge, in a thread of its own. Needs two free cores.
 */
import { Worker } from 'node:worker_threads'
import { createPlainWindow, FramePool, MonotonicClock, NetBurst, type NetQueue } from '@parakernel/hal'
import { createLabNamespace, probeLab } from '@parakernel/linux'
import { benchCases } from '@parakernel/tool-bench'
import { backend, type TapDevice } from '../src/index.ts'
import { fillPlain, fillSuper, plainHeader, superHeaders } from './frames.ts'

const WARM_UP_MS = 500
const MEASURE_MS = 2000
const BURST = 32
/** As long as 32 frames of 2 KiB can hold. */
const SUPER = 56_000
const LARGE_FRAME = 66_048

const clock = new MonotonicClock()

/** Nanoseconds are per packet, and are CPU time of this thread but for `value`. */
type Result = {
  /** CPU time of a packet: ours, and the kernel's in our name. */
  readonly value: number
  readonly Mpps: number
  readonly 'Gb/s': number
  readonly 'user ns': number
  readonly 'kernel ns': number
}

/** Polls `round` for a while. */
function measure(device: TapDevice, direction: 'rx' | 'tx', round: () => void): Result {
  const count = () => {
    const { rxPackets, rxBytes, txPackets, txBytes } = device.statistics()
    return direction === 'rx' ? { packets: rxPackets, bytes: rxBytes } : { packets: txPackets, bytes: txBytes }
  }
  const run = (milliseconds: number) => {
    const end = performance.now() + milliseconds
    while (performance.now() < end) for (let i = 0; i < 16; i++) round()
  }
  run(WARM_UP_MS)
  const before = count()
  const cpu = process.threadCpuUsage()
  const start = performance.now()
  run(MEASURE_MS)
  const wall = performance.now() - start
  const { user, system } = process.threadCpuUsage(cpu)
  const after = count()
  const packets = after.packets - before.packets
  if (packets === 0) throw new Error('no packet moved')
  return {
    value: ((user + system) * 1e3) / packets,
    Mpps: packets / wall / 1e3,
    'Gb/s': ((after.bytes - before.bytes) * 8) / wall / 1e6,
    'user ns': (user * 1e3) / packets,
    'kernel ns': (system * 1e3) / packets,
  }
}

function transmitOnly(queue: NetQueue, own: string, mac: string, length: number): () => void {
  const burst = new NetBurst(BURST, queue.capabilities.columns)
  const header = plainHeader(own, mac)
  return () => {
    fillPlain(queue, burst, header, length)
    const sent = queue.transmit(burst)
    for (let i = sent; i < burst.count; i++) queue.pool.release(burst.frame[i])
  }
}

function transmitSuper(queue: NetQueue, own: string, mac: string): () => void {
  const burst = new NetBurst(BURST, queue.capabilities.columns)
  const headers = superHeaders(own, mac, SUPER)
  return () => {
    fillSuper(queue, burst, headers, SUPER)
    const sent = queue.transmit(burst)
    for (let i = sent; i < burst.count; i++) queue.pool.release(burst.frame[i])
  }
}

function receiveOnly(queue: NetQueue): () => void {
  const burst = new NetBurst(BURST, queue.capabilities.columns)
  return () => {
    queue.receive(burst)
    for (let i = 0; i < burst.count; i++) queue.pool.release(burst.frame[i])
  }
}

/** Sends everything back to where it came from. */
function forward(queue: NetQueue, own: string, mac: string): () => void {
  const burst = new NetBurst(BURST, queue.capabilities.columns)
  const { pool } = queue
  const header = plainHeader(own, mac)
  return () => {
    if (queue.receive(burst) === 0) return
    for (let i = 0; i < burst.count; i++) pool.bytes.set(header, pool.address(burst.frame[i]) + burst.offset[i])
    const sent = queue.transmit(burst)
    for (let i = sent; i < burst.count; i++) pool.release(burst.frame[i])
  }
}

interface Case {
  readonly direction: 'rx' | 'tx'
  /** What the far end floods with: bytes, 0 for nothing. Undefined: there is no far end, and the kernel drops all. */
  readonly flood?: number
  readonly frameSize?: number
  round(queue: NetQueue, own: string, mac: string): () => void
}

async function run({ direction, flood, frameSize = 2048, round }: Case): Promise<Result> {
  const lab = createLabNamespace({ label: 'tapb' })
  const open = (name: string) =>
    backend.open({ interface: name, namespace: lab.namespace }, { clock }) as Promise<TapDevice>
  const device = await open('near')
  const window = createPlainWindow(frameSize > 4096 ? 256 : 4096, { frameSize })
  const queue = backend.attach(device.grant(0, window), { pool: new FramePool(window), clock })
  let stop = async () => {}
  let mac = /link\/ether (\S+)/.exec(lab.run('ip', 'link', 'show', 'near'))?.[1] as string
  if (flood !== undefined) {
    const far = await open('far')
    mac = far.mac
    lab.ip('link add br0 type bridge stp_state 0 mcast_snooping 0', 'link set br0 addrgenmode none', 'link set br0 up')
    lab.ip('link set near master br0', 'link set far master br0')
    const grant = far.grant(0, createPlainWindow(4096))
    const workerData = { grant, mac: device.mac, own: far.mac, length: flood }
    const worker = new Worker(new URL('./far-end.ts', import.meta.url), { workerData })
    await new Promise((resolve) => worker.once('message', resolve))
    stop = async () => {
      await worker.terminate()
      await far.close()
    }
  }
  try {
    return measure(device, direction, round(queue, device.mac, mac))
  } finally {
    queue.detach()
    await stop()
    await device.close()
    lab.remove()
  }
}

await benchCases(
  import.meta,
  {
    title: 'TAP: bursts of 32, super-frames of 56000 bytes',
    unit: 'ns per packet',
    better: 'less',
    unavailable: () => {
      const lab = probeLab()
      return lab.available ? undefined : `needs ${lab.missing}. ${lab.remedy}`
    },
  },
  {
    'transmit 64 B, the kernel drops': () =>
      run({ direction: 'tx', round: (queue, own, mac) => transmitOnly(queue, own, mac, 64) }),
    'transmit 1500 B, the kernel drops': () =>
      run({ direction: 'tx', round: (queue, own, mac) => transmitOnly(queue, own, mac, 1500) }),
    'transmit super-frames, the kernel drops': () => run({ direction: 'tx', round: transmitSuper }),
    'transmit 64 B to another TAP': () =>
      run({ direction: 'tx', flood: 0, round: (queue, own, mac) => transmitOnly(queue, own, mac, 64) }),
    'receive 64 B from another TAP': () => run({ direction: 'rx', flood: 64, round: receiveOnly }),
    'receive 1500 B from another TAP': () => run({ direction: 'rx', flood: 1500, round: receiveOnly }),
    'forward 64 B back to another TAP': () => run({ direction: 'tx', flood: 64, round: forward }),
    'receive super-frames, chains of 2 KiB frames': () => run({ direction: 'rx', flood: SUPER, round: receiveOnly }),
    'receive super-frames, one 64 KiB frame each': () =>
      run({ direction: 'rx', flood: SUPER, frameSize: LARGE_FRAME, round: receiveOnly }),
  },
)
