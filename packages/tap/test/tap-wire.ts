import type { Wire } from '@parakernel/hal-conformance'
import {
  calls,
  type LabNamespace,
  openTunQueue,
  queryLink,
  setLink,
  setTunOffload,
  VIRTIO_NET_HDR_BYTES,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
} from '@parakernel/linux'

export const WIRE_MAC = '02:00:00:00:77:02'
const CAPACITY = 4096
const UDP_START = 34
const UDP_CHECKSUM = 6

/**
 * A second TAP on the same bridge, read and written by hand. It takes no offloads: the kernel between the two cuts
 * super-frames and computes checksums, as the last hop before a cable does.
 */
export class TapWire implements Wire {
  readonly mac = WIRE_MAC
  readonly address = '10.78.0.2'
  readonly capacity = CAPACITY
  readonly lossless = true
  readonly partialChecksums = true
  readonly #descriptor: number
  readonly #buffer = new Uint8Array(new ArrayBuffer(1 << 17))

  constructor(lab: LabNamespace, name: string, offloads = 0) {
    this.#descriptor = lab.inside(() => {
      const descriptor = openTunQueue({ interface: name, multiQueue: false })
      setTunOffload(descriptor, offloads, name)
      const { index } = queryLink(name)
      setLink(index, { transmitQueueLength: CAPACITY, ipv6AutoAddress: false })
      setLink(index, { up: true })
      return descriptor
    })
  }

  send(packet: Uint8Array, { partialChecksum = false }: { readonly partialChecksum?: boolean } = {}): void {
    if (partialChecksum) this.sendPartial(packet, UDP_START, UDP_CHECKSUM)
    else this.#write(packet, new Uint8Array(VIRTIO_NET_HDR_BYTES))
  }

  /** A packet whose checksum the kernel is asked for, and with a type of segmentation a super-frame. */
  sendPartial(packet: Uint8Array, start: number, offset: number, type = 0, segmentSize = 0, headers = 0): void {
    const header = new Uint8Array(VIRTIO_NET_HDR_BYTES)
    const view = new DataView(header.buffer)
    view.setUint8(0, VIRTIO_NET_HDR_F_NEEDS_CSUM)
    view.setUint8(1, type)
    view.setUint16(2, headers, true)
    view.setUint16(4, segmentSize, true)
    view.setUint16(6, start, true)
    view.setUint16(8, offset, true)
    this.#write(packet, header)
  }

  #write(packet: Uint8Array, header: Uint8Array): void {
    const bytes = new Uint8Array(VIRTIO_NET_HDR_BYTES + packet.length)
    bytes.set(header)
    bytes.set(packet, VIRTIO_NET_HDR_BYTES)
    if (Number(calls().write(this.#descriptor, bytes, bytes.length)) !== bytes.length) {
      throw new Error('the wire cannot send')
    }
  }

  receive(): Uint8Array | undefined {
    const read = Number(calls().read(this.#descriptor, this.#buffer, this.#buffer.length))
    return read > VIRTIO_NET_HDR_BYTES ? this.#buffer.slice(VIRTIO_NET_HDR_BYTES, read) : undefined
  }

  close(): void {
    calls().close(this.#descriptor)
  }
}
