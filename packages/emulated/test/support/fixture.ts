import { type Clock, createPlainWindow, FramePool, MonotonicClock, NetBurst, VirtualClock } from '@parakernel/hal'
import type { Fixture, Flow } from '@parakernel/hal-conformance'
import { backend, createNetwork, DEFAULT_RSS_KEY, type NicOptions } from '../../src/index.ts'
import { slowToeplitz } from './slow-toeplitz.ts'

export interface FixtureOptions {
  readonly nic?: NicOptions
  readonly wire?: NicOptions
  /** Moves by a microsecond whenever the suite waits. */
  readonly virtual?: boolean
  readonly topology?: 'switch' | 'direct'
}

const DEVICE_ADDRESS = '10.0.0.1'
const WIRE_ADDRESS = '10.0.0.2'
const WIRE_FRAMES = 4096

/** The device under test, and a second NIC of the same network as its wire. */
export function emulatedFixture({ nic, wire, virtual = false, topology = 'switch' }: FixtureOptions): Fixture {
  const virtualClock = new VirtualClock()
  const clock: Clock = virtual ? virtualClock : new MonotonicClock()
  const network = createNetwork({ clock, topology })
  const device = network.nic({ name: 'emu0', ...nic })
  const peer = network.nic({ name: 'wire', flowControl: true, maxChain: 64, ...wire })
  const window = createPlainWindow(WIRE_FRAMES)
  const pool = new FramePool(window)
  const queue = backend.attach(peer.grant(0, window), { pool, clock })
  const out = new NetBurst(1, peer.capabilities.columns)
  const incoming = new NetBurst(64, peer.capabilities.columns)
  const arrived: Uint8Array[] = []
  let stalled = false

  return {
    device,
    address: DEVICE_ADDRESS,
    context: { clock },
    wire: {
      mac: peer.mac,
      address: WIRE_ADDRESS,
      capacity: 512,
      lossless: true,
      send: (packet) => {
        const frame = pool.allocate()
        pool.bytes.set(packet, pool.address(frame) + pool.headroom)
        out.count = 0
        out.push(frame, pool.headroom, packet.length)
        if (queue.transmit(out) !== 1 || out.refused > 0) throw new Error('the wire did not take a packet')
      },
      receive: () => {
        if (!stalled && arrived.length === 0 && queue.receive(incoming) > 0) {
          for (let i = 0; i < incoming.count; i++) {
            const start = pool.address(incoming.frame[i]) + incoming.offset[i]
            arrived.push(pool.bytes.slice(start, start + incoming.length[i]))
            pool.release(incoming.frame[i])
          }
        }
        return stalled ? undefined : arrived.shift()
      },
      stall: (stall) => {
        stalled = stall
      },
      flow: (wanted) => flowTo(wanted, device.queues),
    },
    advance: () => virtualClock.advance(1_000),
    setLink: (up) => device.setLink(up),
    setMtu: (mtu) => device.setMtu(mtu),
    setMac: (mac) => device.setMac(mac),
    remove: () => device.remove(),
    close: () => network.close(),
  }
}

/** Ports from the wire to the device whose hash the default indirection table sends to `queue`. */
function flowTo(queue: number, queues: number): Flow {
  const input = Uint8Array.of(10, 0, 0, 2, 10, 0, 0, 1, 0, 0, 7000 >> 8, 7000 & 0xff)
  for (let port = 10_000; ; port++) {
    input[8] = port >> 8
    input[9] = port
    if ((slowToeplitz(DEFAULT_RSS_KEY, input) & 127) % queues === queue) {
      return { sourcePort: port, destinationPort: 7000 }
    }
  }
}
