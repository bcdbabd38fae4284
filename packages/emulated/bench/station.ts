import { type Clock, createPlainWindow, FramePool, NetBurst, type NetQueue, parseMac } from '@parakernel/hal'
import { backend, type EmulatedNic, type Network, type NicOptions } from '../src/index.ts'

/** Everything that costs a packet something, off. */
export const PLAIN: NicOptions = { checksumVerify: false, hash: false, vlan: false, timestamps: false }

export interface BenchStation {
  readonly nic: EmulatedNic
  readonly pool: FramePool
  readonly queue: NetQueue
  readonly burst: NetBurst
}

export function openStation(network: Network, clock: Clock, options: NicOptions, burst: number): BenchStation {
  const nic = network.nic(options)
  const window = createPlainWindow(1024)
  const pool = new FramePool(window)
  const queue = backend.attach(nic.grant(0, window), { pool, clock })
  return { nic, pool, queue, burst: new NetBurst(burst, nic.capabilities.columns) }
}

/** An IPv4 UDP packet of `length` bytes without a checksum of its own. */
export function udpPacket(length: number, from: string, to: string): Uint8Array {
  const packet = new Uint8Array(length)
  const view = new DataView(packet.buffer)
  packet.set(parseMac(to), 0)
  packet.set(parseMac(from), 6)
  packet.set([8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x1f, 0x90, 0x1f, 0x91], 12)
  view.setUint16(16, length - 14)
  view.setUint16(38, length - 34)
  // Not zero, which would mean that there is no checksum to verify.
  view.setUint16(40, 0x1234)
  return packet
}

/** Sends every packet of the burst back where it came from, in its own frame; answers how many. */
export function forward({ queue, pool, burst }: BenchStation): number {
  const count = queue.receive(burst)
  const { view } = pool
  for (let i = 0; i < count; i++) {
    const at = pool.address(burst.frame[i]) + burst.offset[i]
    const high = view.getInt32(at)
    const low = view.getInt16(at + 4)
    view.setInt32(at, view.getInt32(at + 6))
    view.setInt16(at + 4, view.getInt16(at + 10))
    view.setInt32(at + 6, high)
    view.setInt16(at + 10, low)
    burst.flags[i] = 1
  }
  queue.transmit(burst)
  return count
}
