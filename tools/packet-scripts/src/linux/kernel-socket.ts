import { calls, foreign } from '@parakernel/linux'
import type { Family } from '../language/script.ts'
import { addressBytes, type Operation, type Outcome, type SubjectSocket } from '../run/subject.ts'
import { viewOf } from '../wire/bytes.ts'
import { kernelOption } from './socket-options.ts'
import { EAGAIN, EINPROGRESS, errorName, must, testCalls } from './system-calls.ts'

const SOL_SOCKET = 1
const SO_ERROR = 4
const SO_OOBINLINE = 10
const SOCK_NONBLOCK_CLOEXEC = 0o2004000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const SHUT_WR = 1
const POLLOUT = 4
const POLLERR_HUP = 0x18
/** Bytes not yet acknowledged, our FIN among them. */
const SIOCOUTQ = 0x5411

/** What a socket needs of the system that it is in. */
export interface KernelSockets {
  /** Of the sockets. */
  readonly family: Family
  /** The remote end, as these sockets call it. */
  readonly remote: string
  now(): number
  inside<T>(body: () => T): T
  /** Asks `attempt` again and again until it gives an outcome. */
  retry(attempt: () => Outcome | undefined): Operation
  closed(socket: KernelSocket): void
  adopt(descriptor: number): KernelSocket
}

/** A socket of the kernel, which never blocks: what would is tried again until it is done. */
export class KernelSocket implements SubjectSocket {
  readonly #sockets: KernelSockets
  readonly #descriptor: number
  #open = true

  constructor(sockets: KernelSockets, descriptor: number) {
    this.#sockets = sockets
    this.#descriptor = descriptor
  }

  /** Pins Reno, and keeps urgent data in the stream (RFC 6093 section 5). */
  initialize(): void {
    this.set('congestionControl', 'newreno')
    must(calls().setsockopt(this.#descriptor, SOL_SOCKET, SO_OOBINLINE, Int32Array.of(1), 4), 'setsockopt')
  }

  bind(port: number): void {
    const any = this.#sockets.family === 4 ? '0.0.0.0' : '::'
    const address = socketAddress(this.#sockets.family, any, port)
    must(calls().bind(this.#descriptor, address, address.length), 'bind')
  }

  listen(backlog: number): void {
    must(testCalls().listen(this.#descriptor, backlog), 'listen')
  }

  accept(): Operation {
    return this.#sockets.retry(() => {
      const descriptor = testCalls().accept4(this.#descriptor, null, null, SOCK_NONBLOCK_CLOEXEC)
      return descriptor < 0 ? failure() : { kind: 'socket', socket: this.#sockets.adopt(descriptor) }
    })
  }

  connect(port: number): Operation {
    const { family, remote } = this.#sockets
    const address = socketAddress(family, remote, port)
    if (calls().connect(this.#descriptor, address, address.length) === 0) {
      return { outcome: { kind: 'done' }, at: this.#sockets.now() }
    }
    const errno = foreign().errno()
    if (errno !== EINPROGRESS) {
      return { outcome: { kind: 'error', code: errorName(errno) }, at: this.#sockets.now() }
    }
    const poll = new DataView(new ArrayBuffer(8))
    poll.setInt32(0, this.#descriptor, true)
    poll.setInt16(4, POLLOUT, true)
    return this.#sockets.retry(() => {
      if (!this.#open) return { kind: 'error', code: 'ECANCELED' }
      if (calls().poll(poll, 1, 0) <= 0 || (poll.getInt16(6, true) & (POLLOUT | POLLERR_HUP)) === 0) return undefined
      const errno = this.#takeError()
      if (errno !== 0) return { kind: 'error', code: errorName(errno) }
      // Until it is asked once more, the kernel has not told that the connection is open.
      calls().connect(this.#descriptor, address, address.length)
      return { kind: 'done' }
    })
  }

  read(limit: number): Operation {
    const buffer = new Uint8Array(Math.max(limit, 1))
    return this.#sockets.retry(() => {
      if (!this.#open) return { kind: 'error', code: 'ECANCELED' }
      const length = Number(calls().recv(this.#descriptor, buffer, limit, MSG_DONTWAIT))
      if (length < 0) return failure()
      return length === 0 ? { kind: 'eof' } : { kind: 'bytes', bytes: buffer.slice(0, length) }
    })
  }

  /** Complete when all bytes have room in the send buffer. */
  write(bytes: Uint8Array): Operation {
    let written = 0
    return this.#sockets.retry(() => {
      while (written < bytes.length) {
        const rest = bytes.subarray(written)
        const flags = MSG_DONTWAIT | MSG_NOSIGNAL
        const length = Number(calls().sendto(this.#descriptor, rest, rest.length, flags, null, 0))
        if (length < 0) return failure()
        written += length
      }
      return { kind: 'written', bytes: written }
    })
  }

  send(bytes: Uint8Array, port: number): Operation {
    const { family, remote } = this.#sockets
    const address = socketAddress(family, remote, port)
    return this.#sockets.retry(() => {
      const length = calls().sendto(this.#descriptor, bytes, bytes.length, MSG_DONTWAIT, address, address.length)
      return length < 0 ? failure() : { kind: 'written', bytes: Number(length) }
    })
  }

  receive(): Operation {
    const buffer = new Uint8Array(65_536)
    return this.#sockets.retry(() => {
      const length = Number(calls().recv(this.#descriptor, buffer, buffer.length, MSG_DONTWAIT))
      return length < 0 ? failure() : { kind: 'bytes', bytes: buffer.slice(0, length) }
    })
  }

  shutdown(): void {
    must(testCalls().shutdown(this.#descriptor, SHUT_WR), 'shutdown')
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#sockets.closed(this)
    must(calls().close(this.#descriptor), 'close')
  }

  /** As close(2) with SO_LINGER, which would hold up the whole thread. */
  finish(): Operation {
    this.shutdown()
    const left = new Int32Array(1)
    return this.#sockets.retry(() => {
      const errno = this.#takeError()
      if (errno !== 0) return { kind: 'error', code: errorName(errno) }
      must(calls().ioctl(this.#descriptor, SIOCOUTQ, left), 'ioctl(SIOCOUTQ)')
      if (left[0] > 0) return undefined
      this.close()
      return { kind: 'done' }
    })
  }

  abort(): void {
    this.set('linger', '0')
    this.close()
  }

  set(name: string, value: string): void {
    const option = kernelOption(name)
    const bytes = option.encode(value)
    must(
      calls().setsockopt(this.#descriptor, option.level, option.name, bytes, bytes.length),
      `setsockopt(${name}, ${value})`,
    )
  }

  get(name: string): string {
    const option = kernelOption(name)
    const bytes = new Uint8Array(16)
    const length = Uint32Array.of(bytes.length)
    must(calls().getsockopt(this.#descriptor, option.level, option.name, bytes, length), `getsockopt(${name})`)
    return option.decode(bytes)
  }

  #takeError(): number {
    const error = new Int32Array(1)
    must(calls().getsockopt(this.#descriptor, SOL_SOCKET, SO_ERROR, error, Uint32Array.of(4)), 'getsockopt(SO_ERROR)')
    return error[0]
  }
}

/** Of the last call; undefined where it is to be tried again. */
function failure(): Outcome | undefined {
  const errno = foreign().errno()
  return errno === EAGAIN ? undefined : { kind: 'error', code: errorName(errno) }
}

export function socketAddress(family: Family, text: string, port: number): Uint8Array {
  const bytes = new Uint8Array(family === 4 ? 16 : 28)
  const view = viewOf(bytes)
  view.setUint16(0, family === 4 ? 2 : 10, true)
  view.setUint16(2, port)
  bytes.set(addressBytes(text), family === 4 ? 4 : 8)
  return bytes
}
