/**
 * What UDP echo costs, per packet, in this package's own code: parsing, checks, the handler's call, the answer's headers and
 * checksum. The emulated NIC's part is measured in the same run, with the same packets, by a loop that only forwards, and
 * taken off. Run with: pnpm exec node --conditions=source packages/net/bench/udp-echo.bench.ts
 */
import { createNetwork, type NicOptions } from '@parakernel/emulated'
import { attachNetQueue, createPlainWindow, FramePool, MonotonicClock, NetBurst, type NetQueue } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime } from '@parakernel/queue'
import { libos } from '../src/index.ts'
import { udpFrame } from '../test/support/frames.ts'

const BURST = 32
const ROUNDS = 400
const TRIALS = 60
const CLIENT_MAC = '02:00:00:00:00:02'
const SERVER_MAC = '02:00:00:00:00:01'

interface Side {
  readonly queue: NetQueue
  readonly pool: FramePool
}

async function bench(payload: number, offload: boolean): Promise<{ median: number; total: number; nic: number }> {
  const clock = new MonotonicClock()
  const network = createNetwork({ clock })
  // Timestamps cost the NIC a clock read a packet.
  const common: NicOptions = {
    ringSize: 256,
    timestamps: false,
    hash: false,
    checksumVerify: offload,
    checksumCompute: offload,
  }
  const side = async (nic: NicOptions): Promise<Side> => {
    const device = network.nic({ ...common, ...nic })
    const window = createPlainWindow(1024)
    const pool = new FramePool(window)
    return { queue: await attachNetQueue(device.grant(0, window), { pool, clock }), pool }
  }
  const client = await side({ mac: CLIENT_MAC })
  const server = await side({ mac: SERVER_MAC })
  const forwarder = await side({ mac: '02:00:00:00:00:03' })
  const loop = new RunLoop({ clock })
  const stack = await libos.create(
    { address: '10.0.0.1/24', addressCheck: 'none' },
    { ...server, clock, loop, runtime: createQueueRuntime(loop), queues: [server.queue], partition: 0, partitions: 1 },
  )
  const qd = stack.socket('datagram')
  stack.bind(qd, { address: '0.0.0.0', port: 7 })
  stack.serveDatagrams(qd, (burst) => {
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
  })
  const toServer = udpFrame({ to: SERVER_MAC, from: CLIENT_MAC, payload: new Uint8Array(payload) })
  const toForwarder = udpFrame({ to: '02:00:00:00:00:03', from: CLIENT_MAC, payload: new Uint8Array(payload) })
  const out = new NetBurst(BURST, client.queue.capabilities.columns)
  const back = new NetBurst(BURST, client.queue.capabilities.columns)
  const forward = new NetBurst(BURST, forwarder.queue.capabilities.columns)

  const feed = (frame: Uint8Array) => {
    out.count = 0
    for (let i = 0; i < BURST; i++) {
      const index = client.pool.allocate()
      client.pool.bytes.set(frame, client.pool.address(index) + client.pool.headroom)
      out.push(index, client.pool.headroom, frame.length)
    }
    if (client.queue.transmit(out) !== BURST) throw new Error('the NIC took less than a burst')
  }
  let returned = 0
  const drain = () => {
    returned += client.queue.receive(back)
    for (let i = 0; i < back.count; i++) client.pool.release(back.frame[i])
  }
  const echoRound = () => {
    feed(toServer)
    const start = performance.now()
    stack.poll(0)
    const time = performance.now() - start
    drain()
    return time
  }
  const view = forwarder.pool.view
  const forwardRound = () => {
    feed(toForwarder)
    const start = performance.now()
    const count = forwarder.queue.receive(forward)
    for (let i = 0; i < count; i++) {
      // The least that sends a packet back: the switch needs the addresses.
      const at = forwarder.pool.address(forward.frame[i]) + forward.offset[i]
      const high = view.getInt32(at)
      const low = view.getUint16(at + 4)
      view.setInt32(at, view.getInt32(at + 6))
      view.setUint16(at + 4, view.getUint16(at + 10))
      view.setInt32(at + 6, high)
      view.setUint16(at + 10, low)
    }
    forwarder.queue.transmit(forward)
    const time = performance.now() - start
    drain()
    return time
  }
  const best = { total: Number.POSITIVE_INFINITY, nic: Number.POSITIVE_INFINITY }
  const differences: number[] = []
  for (let trial = 0; trial < TRIALS; trial++) {
    let echo = 0
    let nic = 0
    for (let round = 0; round < ROUNDS; round++) {
      echo += echoRound()
      nic += forwardRound()
    }
    const scale = 1e6 / (ROUNDS * BURST)
    best.total = Math.min(best.total, echo * scale)
    best.nic = Math.min(best.nic, nic * scale)
    differences.push((echo - nic) * scale)
  }
  if (returned !== TRIALS * ROUNDS * BURST * 2) throw new Error(`${returned} packets came back`)
  differences.sort((a, b) => a - b)
  return { ...best, median: differences[differences.length >> 1] }
}

console.log('UDP echo, ns per packet: whole poll and NIC (best of the trials), own code (their difference),')
console.log('and the median of the paired differences, which says how quiet the machine was')
console.log('  frame  checksums   own median   poll    nic')
for (const offload of [true, false]) {
  for (const payload of [22, 1372]) {
    const { median, total, nic } = await bench(payload, offload)
    const cells = [total - nic, median, total, nic].map((ns) => ns.toFixed(0).padStart(6)).join(' ')
    console.log(`${String(payload + 42).padStart(5)} B  ${offload ? 'device  ' : 'software'} ${cells}`)
  }
}
