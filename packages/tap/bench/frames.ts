import { CHECKSUM_WANTED, END_OF_PACKET, type NetBurst, type NetQueue, parseMac, SEGMENT_TCP4 } from '@parakernel/hal'

/** Ethernet, IPv4 and TCP without options. */
const HEADERS = 54
const SEGMENT = 1448
/** The ethertype for local experiments (IEEE 802): no kernel answers it. */
const EXPERIMENT = 0x88b5

/** Header of a frame that every bridge passes on and no kernel answers. */
export function plainHeader(source: string, destination: string): Uint8Array {
  return Uint8Array.from([...parseMac(destination), ...parseMac(source), EXPERIMENT >> 8, EXPERIMENT & 0xff])
}

/** Fills a burst with frames of `length` bytes. */
export function fillPlain(queue: NetQueue, burst: NetBurst, header: Uint8Array, length: number): void {
  const { pool } = queue
  burst.count = 0
  while (burst.count < burst.capacity) {
    const frame = pool.allocate()
    if (frame < 0) return
    pool.bytes.set(header, pool.address(frame) + pool.headroom)
    burst.push(frame, pool.headroom, length)
  }
}

/** Appends a TCP super-frame of `length` bytes in as many frames as it needs; false when the pool has not enough. */
export function fillSuper(queue: NetQueue, burst: NetBurst, template: Uint8Array, length: number): boolean {
  const { pool } = queue
  const room = pool.frameSize - pool.headroom
  burst.count = 0
  if (pool.available < Math.ceil(length / room)) return false
  for (let rest = length; rest > 0; rest -= room) {
    burst.push(pool.allocate(), pool.headroom, Math.min(rest, room))
    burst.flags[burst.count - 1] = 0
  }
  burst.flags[burst.count - 1] = END_OF_PACKET
  pool.bytes.set(template, pool.address(burst.frame[0]) + pool.headroom)
  burst.flags[0] |= SEGMENT_TCP4 | CHECKSUM_WANTED
  burst.checksumStart[0] = 34
  burst.checksumOffset[0] = 16
  burst.segmentSize[0] = SEGMENT
  burst.headerLength[0] = HEADERS
  return true
}

/** Headers of a TCP super-frame whose IPv4 header the kernel believes. */
export function superHeaders(source: string, destination: string, length: number): Uint8Array {
  const bytes = new Uint8Array(HEADERS)
  const view = new DataView(bytes.buffer)
  bytes.set(parseMac(destination), 0)
  bytes.set(parseMac(source), 6)
  view.setUint16(12, 0x0800)
  view.setUint16(14, 0x4500)
  view.setUint16(16, length - 14)
  view.setUint16(22, 0x4006)
  bytes.set([192, 0, 2, 1, 192, 0, 2, 2], 26)
  let sum = 0
  for (let i = 14; i < 34; i += 2) sum += view.getUint16(i)
  view.setUint16(24, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff)
  view.setUint8(46, 0x50)
  view.setUint8(47, 0x10)
  return bytes
}
