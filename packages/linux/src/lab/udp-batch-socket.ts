import { check, EAGAIN, ECONNREFUSED, ENOBUFS, systemError, systemErrorClosing } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { AF_INET, MSG_DONTWAIT, SO_RCVBUFFORCE, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET } from '../socket-constants.ts'
import { socketAddress } from './udp-socket.ts'

/** `struct mmsghdr` of 64-bit Linux: a msghdr (name, its length, iovec, its length, control, its length, flags), a length. */
const MESSAGE_BYTES = 64
const MESSAGE_LENGTH = 56
const IOVEC_BYTES = 16
const ADDRESS_BYTES = 16
const RECEIVE_BUFFER_BYTES = 4 << 20

/** Headers for `capacity` datagrams, each with one piece of memory. */
class MessageArray {
  readonly headers: DataView
  readonly #pieces: DataView

  constructor(capacity: number) {
    this.headers = new DataView(new ArrayBuffer(capacity * MESSAGE_BYTES))
    this.#pieces = new DataView(new ArrayBuffer(capacity * IOVEC_BYTES))
    const pieces = foreign().addressOf(this.#pieces)
    for (let i = 0; i < capacity; i++) {
      writeAddress(this.headers, i * MESSAGE_BYTES + 16, pieces + i * IOVEC_BYTES)
      this.headers.setUint32(i * MESSAGE_BYTES + 24, 1, true)
    }
  }

  piece(i: number, address: number, length: number): void {
    writeAddress(this.#pieces, i * IOVEC_BYTES, address)
    this.#pieces.setUint32(i * IOVEC_BYTES + 8, length, true)
  }

  name(i: number, address: number): void {
    writeAddress(this.headers, i * MESSAGE_BYTES, address)
    this.headers.setUint32(i * MESSAGE_BYTES + 8, ADDRESS_BYTES, true)
  }

  /** Bytes of datagram `i`, after a call. */
  length(i: number): number {
    return this.headers.getUint32(i * MESSAGE_BYTES + MESSAGE_LENGTH, true)
  }
}

/**
 * A kernel UDP socket that sends and receives up to `batch` datagrams a system call, without copying what it sends. Never
 * blocks: what arrived is fetched by `receive`.
 */
export class UdpBatchSocket {
  readonly descriptor: number
  /** What was received: datagram `i` begins at `i * slotBytes`. Valid until the next `receive`. */
  readonly received: Uint8Array<ArrayBuffer>
  readonly slotBytes: number
  /** Datagrams that the socket had no room for. */
  sendDrops = 0
  readonly #subject: string
  readonly #batch: number
  readonly #outgoing: MessageArray
  readonly #incoming: MessageArray
  readonly #destinations: Uint8Array
  readonly #destinationAddress: number
  /** To the only destination: the kernel then looks up routes once, not for each datagram of either direction. */
  readonly #connected: boolean
  /** Memory that was sent from last, kept reachable, and its address. */
  #source = new Uint8Array(0)
  #sourceAddress = 0
  #queued = 0

  /** Binds to `address:port` (default: any port). @param destinations addresses and ports that `queue` names by number */
  constructor(
    address: string,
    destinations: readonly { readonly address: string; readonly port: number }[],
    {
      port = 0,
      batch = 64,
      slotBytes = 2048,
    }: { readonly port?: number; readonly batch?: number; readonly slotBytes?: number } = {},
  ) {
    this.#subject = `udp ${address}:${port}`
    this.#batch = batch
    this.slotBytes = slotBytes
    this.received = new Uint8Array(new ArrayBuffer(batch * slotBytes))
    this.#outgoing = new MessageArray(batch)
    this.#incoming = new MessageArray(batch)
    const receivedAddress = foreign().addressOf(this.received)
    for (let i = 0; i < batch; i++) this.#incoming.piece(i, receivedAddress + i * slotBytes, slotBytes)
    this.#destinations = new Uint8Array(new ArrayBuffer(destinations.length * ADDRESS_BYTES))
    for (const [i, to] of destinations.entries()) {
      this.#destinations.set(socketAddress(to.address, to.port), i * ADDRESS_BYTES)
    }
    this.#destinationAddress = foreign().addressOf(this.#destinations)
    this.descriptor = check(calls().socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), {
      call: 'socket(AF_INET)',
      subject: this.#subject,
    })
    // Privileged, and only a larger buffer: failure is fine.
    calls().setsockopt(this.descriptor, SOL_SOCKET, SO_RCVBUFFORCE, Uint32Array.of(RECEIVE_BUFFER_BYTES), 4)
    const bound = calls().bind(this.descriptor, socketAddress(address, port), ADDRESS_BYTES)
    if (bound < 0) throw systemErrorClosing(this.descriptor, { call: 'bind', subject: this.#subject })
    this.#connected = destinations.length === 1
    if (!this.#connected) return
    const connected = calls().connect(this.descriptor, this.#destinations, ADDRESS_BYTES)
    if (connected < 0) throw systemErrorClosing(this.descriptor, { call: 'connect', subject: this.#subject })
  }

  /** Queues a datagram, and sends when the batch is full. The bytes must not change before `flush`. */
  queue(bytes: Uint8Array, at: number, length: number, destination: number): void {
    if (this.#source !== bytes) {
      // What is queued lies in memory that only `#source` keeps reachable.
      this.flush()
      this.#source = bytes as Uint8Array<ArrayBuffer>
      this.#sourceAddress = foreign().addressOf(bytes)
    }
    const i = this.#queued++
    this.#outgoing.piece(i, this.#sourceAddress + at, length)
    if (!this.#connected) this.#outgoing.name(i, this.#destinationAddress + destination * ADDRESS_BYTES)
    if (this.#queued === this.#batch) this.flush()
  }

  flush(): void {
    const queued = this.#queued
    if (queued === 0) return
    this.#queued = 0
    const sent = calls().sendmmsg(this.descriptor, this.#outgoing.headers, queued, MSG_DONTWAIT)
    if (sent < 0) this.#expect('sendmmsg', EAGAIN, ENOBUFS, ECONNREFUSED)
    this.sendDrops += queued - Math.max(sent, 0)
  }

  /** Fetches what has arrived, up to a batch, into `received`; returns the datagrams. */
  receive(): number {
    const count = calls().recvmmsg(this.descriptor, this.#incoming.headers, this.#batch, MSG_DONTWAIT, null)
    if (count >= 0) return count
    this.#expect('recvmmsg', EAGAIN, ECONNREFUSED)
    return 0
  }

  /** Bytes of datagram `i` of those that `receive` fetched; the rest of one that is longer than a slot is lost. */
  length(i: number): number {
    return this.#incoming.length(i)
  }

  close(): void {
    calls().close(this.descriptor)
  }

  #expect(call: string, ...expected: readonly number[]): void {
    const errno = foreign().errno()
    if (!expected.includes(errno)) throw systemError(errno, { call, subject: this.#subject })
  }
}

function writeAddress(view: DataView, at: number, address: number): void {
  view.setUint32(at, address >>> 0, true)
  view.setUint32(at + 4, Math.floor(address / 2 ** 32), true)
}
