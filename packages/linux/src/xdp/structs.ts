import { AF_XDP } from './constants.ts'

/** Where the words of a mapped ring lie, in bytes from the start of the mapping. */
export interface RingOffsets {
  readonly producer: number
  readonly consumer: number
  readonly entries: number
  readonly flags: number
}

export interface XdpRingOffsets {
  readonly rx: RingOffsets
  readonly tx: RingOffsets
  readonly fill: RingOffsets
  readonly completion: RingOffsets
}

export const XDP_RING_OFFSETS_BYTES = 128

/** Decodes `struct xdp_mmap_offsets`. */
export function decodeRingOffsets(bytes: Uint8Array): XdpRingOffsets {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const ring = (at: number): RingOffsets => ({
    producer: Number(view.getBigUint64(at, true)),
    consumer: Number(view.getBigUint64(at + 8, true)),
    entries: Number(view.getBigUint64(at + 16, true)),
    flags: Number(view.getBigUint64(at + 24, true)),
  })
  return { rx: ring(0), tx: ring(32), fill: ring(64), completion: ring(96) }
}

export interface UmemRegistration {
  readonly address: number
  readonly byteLength: number
  readonly chunkSize: number
  readonly headroom: number
  /** `XDP_UMEM_*`; kernels before 6.8 refuse any that stand here. */
  readonly flags?: number
  /** Bytes of metadata before what is transmitted, a multiple of 8. */
  readonly metadataBytes?: number
}

/** Encodes `struct xdp_umem_reg`. */
export function encodeUmemRegistration(registration: UmemRegistration): Uint8Array {
  const { address, byteLength, chunkSize, headroom, flags = 0, metadataBytes = 0 } = registration
  const view = new DataView(new ArrayBuffer(32))
  view.setBigUint64(0, BigInt(address), true)
  view.setBigUint64(8, BigInt(byteLength), true)
  view.setUint32(16, chunkSize, true)
  view.setUint32(20, headroom, true)
  view.setUint32(24, flags, true)
  view.setUint32(28, metadataBytes, true)
  return new Uint8Array(view.buffer)
}

/** Encodes `struct sockaddr_xdp`. */
export function encodeXdpAddress(interfaceIndex: number, queue: number, flags: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint16(0, AF_XDP, true)
  view.setUint16(2, flags, true)
  view.setUint32(4, interfaceIndex, true)
  view.setUint32(8, queue, true)
  return new Uint8Array(view.buffer)
}

export const XDP_STATISTICS_BYTES = 48

/** `struct xdp_statistics`: what the kernel counts for one socket, since it was made. */
export interface XdpStatistics {
  readonly rxDropped: number
  readonly rxInvalidDescriptors: number
  readonly txInvalidDescriptors: number
  readonly rxRingFull: number
  readonly rxFillRingEmpty: number
  readonly txRingEmpty: number
}

export function decodeXdpStatistics(bytes: Uint8Array): XdpStatistics {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const word = (index: number) => Number(view.getBigUint64(index * 8, true))
  return {
    rxDropped: word(0),
    rxInvalidDescriptors: word(1),
    txInvalidDescriptors: word(2),
    rxRingFull: word(3),
    rxFillRingEmpty: word(4),
    txRingEmpty: word(5),
  }
}
