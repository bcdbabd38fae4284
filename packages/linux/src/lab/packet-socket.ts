import { check, EAGAIN, ENOBUFS, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { queryLink } from '../interface/netlink.ts'

const AF_PACKET = 17
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const ETH_P_ALL_NETWORK_ORDER = 0x0300
const MSG_DONTWAIT = 0x40
const ADDRESS_BYTES = 20

/**
 * Whole Ethernet frames in and out of one interface of the namespace that the thread is in when it is made: the other
 * end of the cable in tests. It also sees the frames that the peer's own kernel sends.
 */
export class PacketSocket {
  readonly descriptor: number
  readonly #subject: string
  readonly #buffer = new Uint8Array(65_536)

  constructor(interfaceName: string) {
    this.#subject = `packet socket on ${interfaceName}`
    const index = queryLink(interfaceName).index
    const failed = { call: 'socket(AF_PACKET)', subject: this.#subject }
    this.descriptor = check(calls().socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, ETH_P_ALL_NETWORK_ORDER), failed)
    const address = new DataView(new ArrayBuffer(ADDRESS_BYTES))
    address.setUint16(0, AF_PACKET, true)
    address.setUint16(2, ETH_P_ALL_NETWORK_ORDER, true)
    address.setInt32(4, index, true)
    check(calls().bind(this.descriptor, address, ADDRESS_BYTES), { call: 'bind(AF_PACKET)', subject: this.#subject })
  }

  /** Sends one frame. Returns false when the interface's queue is full. */
  send(frame: Uint8Array): boolean {
    if (Number(calls().sendto(this.descriptor, frame, frame.length, MSG_DONTWAIT, null, 0)) >= 0) return true
    const errno = foreign().errno()
    if (errno === EAGAIN || errno === ENOBUFS) return false
    throw systemError(errno, { call: 'sendto(AF_PACKET)', subject: this.#subject })
  }

  /** The next frame, or undefined when there is none now. */
  receive(): Uint8Array | undefined {
    const length = Number(calls().recv(this.descriptor, this.#buffer, this.#buffer.length, MSG_DONTWAIT))
    if (length >= 0) return this.#buffer.slice(0, length)
    const errno = foreign().errno()
    if (errno === EAGAIN) return undefined
    throw systemError(errno, { call: 'recv(AF_PACKET)', subject: this.#subject })
  }

  close(): void {
    calls().close(this.descriptor)
  }
}
