/**
 * What UDP echo costs, per packet, in this package's own code: parsing, checks, the handler's call, the answer's headers and
 * checksum. The emulated NIC's part is measured in the same run, with the same packets, by a loop that only forwards, and
 * taken off. Budget: 300 ns, and nothing allocated.
 */
import { createNetwork, type NicOptions } from '@parakernel/emulated'
import { attachNetQueue, createPlainWindow, FramePool, MonotonicClock, NetBurst, type NetQueue } from '@parakernel/hal'
import { type BenchCase, benchCases, collectionsDuring } from '@parakernel/tool-bench'
import { udpFrame } from '../test/support/frames.ts'
import { echoStack, median } from './echo-stack.ts'

const BURST = 32
const ROUNDS = 400
const TRIALS = 60
const CLIENT_MAC = '02:00:00:00:00:02'
const SERVER_MAC = '02:00:00:00:00:01'
const FORWARDER_MAC = '02:00:00:00:00:03'

interface Side {
  readonly queue: NetQueue
  readonly pool: FramePool
}

async function echo(payload: number, offload: boolean) {
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
  const forwarder = await side({ mac: FORWARDER_MAC })
  const stack = await echoStack(server.queue, server.pool, clock)
  const toServer = udpFrame({ to: SERVER_MAC, from: CLIENT_MAC, payload: new Uint8Array(payload) })
  const toForwarder = udpFrame({ to: FORWARDER_MAC, from: CLIENT_MAC, payload: new Uint8Array(payload) })
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
    stack.poll()
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
  let poll = Number.POSITIVE_INFINITY
  let nic = Number.POSITIVE_INFINITY
  const own: number[] = []
  for (let trial = 0; trial < TRIALS; trial++) {
    let echoing = 0
    let forwarding = 0
    for (let round = 0; round < ROUNDS; round++) {
      echoing += echoRound()
      forwarding += forwardRound()
    }
    const scale = 1e6 / (ROUNDS * BURST)
    poll = Math.min(poll, echoing * scale)
    nic = Math.min(nic, forwarding * scale)
    own.push((echoing - forwarding) * scale)
  }
  const silent = TRIALS * ROUNDS
  const collections = await collectionsDuring(() => {
    for (let round = 0; round < silent; round++) {
      feed(toServer)
      stack.poll()
      drain()
    }
  })
  const expected = 3 * TRIALS * ROUNDS * BURST
  if (returned !== expected) throw new Error(`${returned} packets came back, not ${expected}`)
  return { value: median(own), 'best own': poll - nic, 'best poll': poll, 'best NIC': nic, collections }
}

const cases: Record<string, BenchCase> = {}
for (const payload of [22, 1372]) {
  cases[`${payload + 42} B, checksums by the device`] = () => echo(payload, true)
  cases[`${payload + 42} B, checksums in software`] = () => echo(payload, false)
}
await benchCases(
  import.meta,
  { title: 'UDP echo on the emulated NIC: own code', unit: 'ns per packet', better: 'less' },
  cases,
)
