import {
  CHECKSUM_WANTED,
  checkPacket,
  END_OF_PACKET,
  type FramePool,
  type NetBurst,
  type NetCapabilities,
  type NetCounters,
  type NetQueueGrant,
  packetEntries,
  refusePacket,
  SEGMENT_ANY,
  TX_BYTES,
  TX_DROPPED,
  TX_INVALID_DESCRIPTORS,
  TX_PACKETS,
  TX_RING_FULL,
  TX_TOO_LONG,
  TX_UNSUPPORTED,
} from '@parakernel/hal'
import {
  calls,
  EAGAIN,
  EBADFD,
  EIO,
  ENOBUFS,
  ENOMEM,
  foreign,
  regionAddress,
  VIRTIO_NET_HDR_BYTES,
} from '@parakernel/linux'
import { ETHERNET_HEADER } from '../ethernet.ts'
import type { TapTransport } from '../transport.ts'
import { VirtioHeader } from '../virtio-header.ts'
import { Vector } from './vector.ts'

/** Pieces of one packet that the kernel takes (UIO_MAXIOV), its header among them. */
const MOST_PIECES = 1024

/**
 * One system call a packet, in which the kernel copies it and carries it through its own stack: when it returns, the frames
 * are free again.
 */
export class TransmitSide {
  readonly #pool: FramePool
  readonly #capabilities: NetCapabilities
  readonly #values: Float64Array
  readonly #descriptor: number
  readonly #writev = calls().writev
  readonly #errno = foreign().errno
  readonly #plainHeader = new VirtioHeader()
  readonly #header = new VirtioHeader()
  readonly #plain: Vector
  readonly #pieces: Vector
  readonly #region: number

  constructor(
    { transport, window, capabilities }: NetQueueGrant<TapTransport>,
    pool: FramePool,
    counters: NetCounters,
  ) {
    this.#pool = pool
    this.#capabilities = capabilities
    this.#values = counters.values
    this.#descriptor = transport.descriptor
    this.#region = regionAddress(window.region)
    this.#plain = new Vector(2)
    this.#plain.set(0, foreign().addressOf(this.#plainHeader.bytes), VIRTIO_NET_HDR_BYTES)
    this.#pieces = new Vector(MOST_PIECES)
    this.#pieces.set(0, foreign().addressOf(this.#header.bytes), VIRTIO_NET_HDR_BYTES)
  }

  /** As `NetQueue.transmit`, with the longest packet that the interface takes at present. */
  accept(burst: NetBurst, start: number, maxPacket: number): number {
    const { frame, offset, length, flags, count } = burst
    const pool = this.#pool
    const { frameSize } = pool
    const values = this.#values
    let packets = 0
    let bytes = 0
    let i = start
    while (i < count) {
      const f = frame[i]
      const from = offset[i]
      let size = length[i]
      let entries = 1
      let sent: number
      // What nearly every packet of a datagram libOS is.
      if (
        flags[i] === END_OF_PACKET &&
        from >= 0 &&
        size >= ETHERNET_HEADER &&
        size <= maxPacket &&
        from + size <= frameSize &&
        pool.holds(f)
      ) {
        this.#plain.set(1, this.#region + pool.address(f) + from, size)
        sent = this.#writev(this.#descriptor, this.#plain.address, 2)
      } else {
        entries = packetEntries(burst, i)
        const reason = this.#examine(burst, i, entries, maxPacket)
        if (reason >= 0) {
          refusePacket(burst, i, entries, reason, values)
          i += entries
          continue
        }
        size = this.#gather(burst, i, entries)
        sent = this.#writev(this.#descriptor, this.#pieces.address, entries + 1)
      }
      if (sent < 0) {
        const errno = this.#errno()
        if (errno === EAGAIN || errno === ENOBUFS || errno === ENOMEM) {
          values[TX_RING_FULL]++
          break
        }
        if (errno !== EIO && errno !== EBADFD) {
          // The kernel does not believe the headers.
          refusePacket(burst, i, entries, TX_INVALID_DESCRIPTORS, values)
          i += entries
          continue
        }
        // The interface is down, or it was removed: accepted, and lost.
        values[TX_DROPPED]++
      } else {
        packets++
        bytes += size
      }
      for (const end = i + entries; i < end; i++) pool.release(frame[i])
    }
    values[TX_PACKETS] += packets
    values[TX_BYTES] += bytes
    return i - start
  }

  /** Why a packet that is not plainly good is refused: the index of a counter, or -1 when it is not. */
  #examine(burst: NetBurst, i: number, entries: number, maxPacket: number): number {
    const reason = checkPacket(burst, i, entries, this.#pool, this.#capabilities)
    if (reason >= 0) return reason
    if (entries >= MOST_PIECES) return TX_UNSUPPORTED
    let total = 0
    for (let n = i; n < i + entries; n++) total += burst.length[n]
    if (total < ETHERNET_HEADER) return TX_INVALID_DESCRIPTORS
    const segment = burst.flags[i] & SEGMENT_ANY
    if (segment === 0 ? total > maxPacket : burst.headerLength[i] + burst.segmentSize[i] > maxPacket) return TX_TOO_LONG
    if ((burst.flags[i] & (SEGMENT_ANY | CHECKSUM_WANTED)) === 0) {
      this.#header.bytes.fill(0)
      return -1
    }
    const at = this.#pool.address(burst.frame[i]) + burst.offset[i]
    return this.#header.ask(burst, i, this.#pool.view, at, burst.length[i]) ? -1 : TX_INVALID_DESCRIPTORS
  }

  /** Lists the pieces of a packet; returns its bytes. */
  #gather(burst: NetBurst, i: number, entries: number): number {
    const { frame, offset, length } = burst
    let total = 0
    for (let n = 0; n < entries; n++) {
      const size = length[i + n]
      this.#pieces.set(n + 1, this.#region + this.#pool.address(frame[i + n]) + offset[i + n], size)
      total += size
    }
    return total
  }
}
