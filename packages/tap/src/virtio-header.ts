import {
  CHECKSUM_PARTIAL,
  CHECKSUM_VERIFIED,
  CHECKSUM_WANTED,
  COLUMN_CHECKSUM,
  COLUMN_SEGMENT,
  type NetBurst,
  SEGMENT_ANY,
  SEGMENT_TCP4,
  SEGMENT_TCP6,
  SEGMENT_UDP,
} from '@parakernel/hal'
import {
  VIRTIO_NET_HDR_BYTES,
  VIRTIO_NET_HDR_F_DATA_VALID,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_ECN,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  VIRTIO_NET_HDR_GSO_UDP_L4,
} from '@parakernel/linux'

// VIRTIO 1.2, section 5.1.6: fields of `struct virtio_net_hdr`, by their offset in bytes.
const FLAGS = 0
const TYPE = 1
const HEADER_LENGTH = 2
const SEGMENT_SIZE = 4
const CHECKSUM_START = 6
const CHECKSUM_OFFSET = 8

const TCP_DATA_OFFSET = 12
const TCP_FLAGS = 13
const TCP_CWR = 0x80
const UDP_HEADER = 8

/** The header that stands before each packet of a TAP queue, and what it means in the columns of a burst. */
export class VirtioHeader {
  /** Where the kernel reads or writes it. */
  readonly bytes: Uint8Array
  readonly #view: DataView

  constructor() {
    this.bytes = new Uint8Array(new ArrayBuffer(VIRTIO_NET_HDR_BYTES))
    this.#view = new DataView(this.bytes.buffer)
  }

  /** Nothing is said about the packet: no offload in either direction. */
  get plain(): boolean {
    return this.bytes[FLAGS] === 0 && this.bytes[TYPE] === VIRTIO_NET_HDR_GSO_NONE
  }

  /**
   * Writes what was received about a packet into entry `i`, which has its flags already.
   * @param packet view of the frames, in which the packet starts at byte `at`
   * @param length bytes of the packet that lie there
   */
  describe(burst: NetBurst, i: number, packet: DataView, at: number, length: number): void {
    const view = this.#view
    const flags = this.bytes[FLAGS]
    const type = this.bytes[TYPE] & ~VIRTIO_NET_HDR_GSO_ECN
    const start = view.getUint16(CHECKSUM_START, true)
    let found = 0
    if ((flags & VIRTIO_NET_HDR_F_DATA_VALID) !== 0) found = CHECKSUM_VERIFIED
    if ((flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) !== 0) {
      found = CHECKSUM_PARTIAL
      if (burst.columns & COLUMN_CHECKSUM) {
        burst.checksumStart[i] = start
        burst.checksumOffset[i] = view.getUint16(CHECKSUM_OFFSET, true)
      }
    }
    const segment =
      type === VIRTIO_NET_HDR_GSO_TCPV4
        ? SEGMENT_TCP4
        : type === VIRTIO_NET_HDR_GSO_TCPV6
          ? SEGMENT_TCP6
          : type === VIRTIO_NET_HDR_GSO_UDP_L4
            ? SEGMENT_UDP
            : 0
    if (burst.columns & COLUMN_SEGMENT) {
      burst.segmentSize[i] = segment === 0 ? 0 : view.getUint16(SEGMENT_SIZE, true)
      // The header length that the kernel writes is a hint: bytes that happen to lie in the first piece of its buffer.
      burst.headerLength[i] = segment === 0 ? 0 : start + transportHeader(segment, packet, at + start, length - start)
    }
    burst.flags[i] |= found | segment
  }

  /**
   * Writes what is asked for the packet at entry `i`. False when its columns do not fit its headers; the kernel would refuse it.
   * @param packet view of the frames, in which the packet starts at byte `at`
   * @param length bytes of the packet's first entry, which hold all headers of a super-frame
   */
  ask(burst: NetBurst, i: number, packet: DataView, at: number, length: number): boolean {
    const view = this.#view
    const asked = burst.flags[i]
    const start = burst.checksumStart[i]
    const segment = asked & SEGMENT_ANY
    // A segment that is cut needs a checksum, and where it starts.
    if ((asked & CHECKSUM_WANTED) === 0 || start > 0xffff || burst.checksumOffset[i] > 0xffff) return false
    let type = VIRTIO_NET_HDR_GSO_NONE
    let headers = 0
    let size = 0
    if (segment !== 0) {
      headers = burst.headerLength[i]
      size = burst.segmentSize[i]
      if (length < headers || start + transportHeader(segment, packet, at + start, length - start) !== headers)
        return false
      if (segment === SEGMENT_UDP) type = VIRTIO_NET_HDR_GSO_UDP_L4
      else {
        type = segment === SEGMENT_TCP4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6
        if ((packet.getUint8(at + start + TCP_FLAGS) & TCP_CWR) !== 0) type |= VIRTIO_NET_HDR_GSO_ECN
      }
    }
    view.setUint8(FLAGS, VIRTIO_NET_HDR_F_NEEDS_CSUM)
    view.setUint8(TYPE, type)
    view.setUint16(HEADER_LENGTH, headers, true)
    view.setUint16(SEGMENT_SIZE, size, true)
    view.setUint16(CHECKSUM_START, start, true)
    view.setUint16(CHECKSUM_OFFSET, burst.checksumOffset[i], true)
    return true
  }
}

/** Bytes of the transport header at `at`, of which `length` bytes are there; -1 when it is not whole. */
function transportHeader(segment: number, packet: DataView, at: number, length: number): number {
  if (segment === SEGMENT_UDP) return length < UDP_HEADER ? -1 : UDP_HEADER
  return length <= TCP_FLAGS ? -1 : (packet.getUint8(at + TCP_DATA_OFFSET) >> 4) * 4
}
