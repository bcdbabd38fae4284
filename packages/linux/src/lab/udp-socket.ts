import { check, EAGAIN, ECONNREFUSED, ENOBUFS, systemError, systemErrorClosing } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { AF_INET, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from '../socket-constants.ts'

/**
 * A kernel UDP socket in the namespace that the thread is in when it is made. Node's own sockets are opened later, on the
 * event loop, so they cannot be put into a namespace this way.
 */
export class KernelUdpSocket {
  readonly descriptor: number
  readonly #subject: string
  readonly #buffer = new Uint8Array(65_536)

  /** Binds to `address:port` (port 0: any). */
  constructor(address: string, port = 0) {
    this.#subject = `udp ${address}:${port}`
    this.descriptor = check(calls().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), {
      call: 'socket(AF_INET)',
      subject: this.#subject,
    })
    const bound = calls().bind(this.descriptor, socketAddress(address, port), 16)
    if (bound < 0) throw systemErrorClosing(this.descriptor, { call: 'bind', subject: this.#subject })
  }

  /** False when the socket's buffer is full, or the neighbour is not resolved yet and the queue for it is full. */
  sendTo(payload: Uint8Array, to: Uint8Array): boolean {
    if (Number(calls().sendto(this.descriptor, payload, payload.length, MSG_DONTWAIT, to, 16)) >= 0) return true
    const errno = foreign().errno()
    // A refusal is news of an earlier datagram.
    if (errno === EAGAIN || errno === ENOBUFS || errno === ECONNREFUSED) return false
    throw systemError(errno, { call: 'sendto', subject: this.#subject })
  }

  /** The next datagram's payload, or undefined when there is none now. */
  receive(): Uint8Array | undefined {
    const length = Number(calls().recv(this.descriptor, this.#buffer, this.#buffer.length, MSG_DONTWAIT))
    if (length >= 0) return this.#buffer.slice(0, length)
    const errno = foreign().errno()
    if (errno === EAGAIN || errno === ECONNREFUSED) return undefined
    throw systemError(errno, { call: 'recv', subject: this.#subject })
  }

  close(): void {
    calls().close(this.descriptor)
  }
}

/** `struct sockaddr_in`. */
export function socketAddress(address: string, port: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint16(0, AF_INET, true)
  view.setUint16(2, port)
  const bytes = new Uint8Array(view.buffer)
  bytes.set(address.split('.').map(Number), 4)
  return bytes
}
