import { check, EAGAIN, ENETDOWN, ENOBUFS, systemError, systemErrorClosing } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { queryLink } from '../interface/netlink.ts'
import {
  AF_PACKET,
  MSG_DONTWAIT,
  SO_RCVBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_PACKET,
  SOL_SOCKET,
} from '../socket-constants.ts'

const ETH_P_ALL_NETWORK_ORDER = 0x0300
const ADDRESS_BYTES = 20
const PACKET_AUXDATA = 8
/** `struct cmsghdr`, then `struct tpacket_auxdata`: status u32 at 0, VLAN TCI u16 at 16, TPID u16 at 18. */
const CMSG_HEADER = 16
const AUXDATA_BYTES = 20
const CONTROL_BYTES = 64
const TP_STATUS_VLAN_VALID = 1 << 4
const RECEIVE_BYTES = 32 << 20

/**
 * Whole Ethernet frames in and out of one interface of the namespace that the thread is in when it is made: the other
 * end of the cable in tests. It also sees the frames that the peer's own kernel sends.
 */
export class PacketSocket {
  readonly descriptor: number
  readonly #subject: string
  readonly #buffer = new Uint8Array(new ArrayBuffer(65_536))
  readonly #control = new DataView(new ArrayBuffer(CONTROL_BYTES))
  /** `struct iovec` and `struct msghdr`, which points to it and to the two buffers. */
  readonly #vector = new DataView(new ArrayBuffer(16))
  readonly #message = new DataView(new ArrayBuffer(56))

  constructor(interfaceName: string) {
    this.#subject = `packet socket on ${interfaceName}`
    const index = queryLink(interfaceName).index
    const failed = { call: 'socket(AF_PACKET)', subject: this.#subject }
    this.descriptor = check(calls().socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, ETH_P_ALL_NETWORK_ORDER), failed)
    const address = new DataView(new ArrayBuffer(ADDRESS_BYTES))
    address.setUint16(0, AF_PACKET, true)
    address.setUint16(2, ETH_P_ALL_NETWORK_ORDER, true)
    address.setInt32(4, index, true)
    // A burst that outruns the reader is kept: 1500-byte frames take about 2.3 KiB each.
    calls().setsockopt(this.descriptor, SOL_SOCKET, SO_RCVBUFFORCE, Uint32Array.of(RECEIVE_BYTES), 4)
    calls().setsockopt(this.descriptor, SOL_PACKET, PACKET_AUXDATA, Uint32Array.of(1), 4)
    const pointer = (view: DataView, offset: number, to: ArrayBufferView) =>
      view.setBigUint64(offset, BigInt(foreign().addressOf(to)), true)
    pointer(this.#vector, 0, this.#buffer)
    this.#vector.setBigUint64(8, BigInt(this.#buffer.length), true)
    pointer(this.#message, 16, this.#vector)
    this.#message.setBigUint64(24, 1n, true)
    pointer(this.#message, 32, this.#control)
    const bound = calls().bind(this.descriptor, address, ADDRESS_BYTES)
    if (bound < 0) throw systemErrorClosing(this.descriptor, { call: 'bind(AF_PACKET)', subject: this.#subject })
  }

  /** Sends one frame. Returns false when the interface is down or its queue is full. */
  send(frame: Uint8Array): boolean {
    if (Number(calls().sendto(this.descriptor, frame, frame.length, MSG_DONTWAIT, null, 0)) >= 0) return true
    const errno = foreign().errno()
    if (errno === EAGAIN || errno === ENOBUFS || errno === ENETDOWN) return false
    throw systemError(errno, { call: 'sendto(AF_PACKET)', subject: this.#subject })
  }

  /** The next frame as it was on the wire, or undefined when there is none now. */
  receive(): Uint8Array | undefined {
    this.#message.setBigUint64(40, BigInt(CONTROL_BYTES), true)
    const length = Number(calls().recvmsg(this.descriptor, this.#message, MSG_DONTWAIT))
    if (length >= 0) return this.#withTag(this.#buffer.subarray(0, length))
    const errno = foreign().errno()
    // A link that went down is told once; the socket works on when it comes back.
    if (errno === EAGAIN || errno === ENETDOWN) return undefined
    throw systemError(errno, { call: 'recvmsg(AF_PACKET)', subject: this.#subject })
  }

  /** The kernel takes a VLAN tag out of the frame and tells it beside it, in a tpacket_auxdata. */
  #withTag(frame: Uint8Array): Uint8Array {
    const controlLength = Number(this.#message.getBigUint64(40, true))
    const status = controlLength >= CMSG_HEADER + AUXDATA_BYTES ? this.#control.getUint32(CMSG_HEADER, true) : 0
    if ((status & TP_STATUS_VLAN_VALID) === 0) return frame.slice()
    const tagged = new Uint8Array(frame.length + 4)
    tagged.set(frame.subarray(0, 12))
    tagged.set(frame.subarray(12), 16)
    const view = new DataView(tagged.buffer)
    view.setUint16(12, this.#control.getUint16(CMSG_HEADER + 18, true))
    view.setUint16(14, this.#control.getUint16(CMSG_HEADER + 16, true))
    return tagged
  }

  close(): void {
    calls().close(this.descriptor)
  }
}
