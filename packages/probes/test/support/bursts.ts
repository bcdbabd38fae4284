import { END_OF_PACKET, NetBurst, type NetQueue } from '@parakernel/hal'

/** Receives once; copies the packets and releases their frames. */
export function take(queue: NetQueue, size = 32): { bytes: Uint8Array; flags: number }[] {
  const burst = new NetBurst(size, queue.capabilities.columns)
  queue.receive(burst)
  const packets: { bytes: Uint8Array; flags: number }[] = []
  let parts: Uint8Array[] = []
  let flags = 0
  for (let i = 0; i < burst.count; i++) {
    if (parts.length === 0) flags = burst.flags[i]
    const start = queue.pool.address(burst.frame[i]) + burst.offset[i]
    parts.push(queue.pool.bytes.slice(start, start + burst.length[i]))
    queue.pool.release(burst.frame[i])
    if ((burst.flags[i] & END_OF_PACKET) === 0) continue
    packets.push({ bytes: new Uint8Array(Buffer.concat(parts)), flags })
    parts = []
  }
  if (parts.length > 0) throw new Error('the burst ends in the middle of a packet')
  return packets
}

/** Receives until three polls in a row bring nothing. */
export function takeAll(queue: NetQueue, size = 32): { bytes: Uint8Array; flags: number }[] {
  const packets: { bytes: Uint8Array; flags: number }[] = []
  for (let idle = 0; idle < 3; ) {
    const some = take(queue, size)
    packets.push(...some)
    idle = some.length === 0 ? idle + 1 : 0
  }
  return packets
}

/** A burst with these packets, each a list of fragments. */
export function load(queue: NetQueue, packets: readonly (readonly Uint8Array[])[]): NetBurst {
  const burst = new NetBurst(Math.max(1, packets.flat().length), queue.capabilities.columns)
  for (const fragments of packets) {
    for (const [i, fragment] of fragments.entries()) {
      const frame = queue.pool.allocate()
      if (frame < 0) throw new Error('the test has too few frames')
      queue.pool.bytes.set(fragment, queue.pool.address(frame) + queue.pool.headroom)
      burst.push(frame, queue.pool.headroom, fragment.length)
      if (i < fragments.length - 1) burst.flags[burst.count - 1] &= ~END_OF_PACKET
    }
  }
  return burst
}
