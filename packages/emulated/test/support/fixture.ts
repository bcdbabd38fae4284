import {
  CHECKSUM_WANTED,
  type Clock,
  createPlainWindow,
  FramePool,
  type FrameWindow,
  type FrameWindowOptions,
  MonotonicClock,
  NetBurst,
  VirtualClock,
} from '@parakernel/hal'
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
/** Small, so that a pool of 16 frames and the packets that wait for frames are soon too many for it. */
const RING = 32

/** The device under test, and a second NIC of the same network as its wire. */
export function emulatedFixture({ nic, wire, virtual = false, topology = 'switch' }: FixtureOptions): Fixture {
  const virtualClock = new VirtualClock()
  const clock: Clock = virtual ? virtualClock : new MonotonicClock()
  const network = createNetwork({ clock, topology })
  const device = network.nic({ name: 'emu0', ringSize: RING, ...nic })
  // A wire carries tags as they are, and can be stalled.
  const peer = network.nic({ name: 'wire', ringSize: RING, flowControl: true, vlan: false, ...wire })
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
      capacity: RING,
      lossless: true,
      partialChecksums: true,
      send: (packet, { partialChecksum = false } = {}) => {
        const frame = pool.allocate()
        pool.bytes.set(packet, pool.address(frame) + pool.headroom)
        out.count = 0
        out.push(frame, pool.headroom, packet.length)
        if (partialChecksum) {
          out.flags[0] |= CHECKSUM_WANTED
          out.checksumStart[0] = 34
          out.checksumOffset[0] = 6
        }
        // A link with a rate takes its time.
        while (queue.transmit(out) === 0 && virtual) virtualClock.advance(100)
        if (out.refused > 0) throw new Error('the wire refused a packet')
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
    ...(device.capabilities.transmitAlignment > 1 && { createWindow: alignedWindow }),
    advance: () => virtualClock.advance(1_000),
    setLink: (up) => device.setLink(up),
    setMtu: (mtu) => device.setMtu(mtu),
    setMac: (mac) => device.setMac(mac),
    remove: () => device.remove(),
    close: () => network.close(),
  }
}

/** Received data starts where it may be transmitted from again: at a multiple of 8. */
function alignedWindow(frameCount: number, options?: Partial<FrameWindowOptions>): FrameWindow {
  return createPlainWindow(frameCount, { headroom: 264, ...options })
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
