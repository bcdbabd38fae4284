import { createConnection, type Socket } from 'node:net'
import { UdpBatchSocket } from '@parakernel/linux'

/** What a batch came to. */
interface BatchResult {
  /** Operations answered. */
  readonly answered: number
  readonly wrong: number
}

export interface Operation {
  readonly key: string
  /** Undefined for a GET. */
  readonly value: string | undefined
}

/** A client that sends batches of operations and takes their answers in the order of sending, or not at all (UDP). */
export interface PeerClient {
  /** Sends the batch; `done` is called once all answers are there, or never if something was lost. */
  send(batch: readonly Operation[], done: (result: BatchResult) => void): void
  /** Sends and receives what waits, a batch a system call; undefined where Node's own loop does it. */
  poll?(): void
  close(): void
}

/** A value names its key, so that every read can be checked. */
export function paddedValue(key: string, bytes: number): string {
  return key.padEnd(bytes, '.')
}

const isRight = (key: string, value: string) => value.startsWith(key) && /^\.*$/.test(value.slice(key.length))

/** Datagrams that a system call of the UDP client moves at most, and bytes of the longest request. */
const SLOTS = 64
const SLOT_BYTES = 2048

/** memcached over UDP: the GETs of a batch as one multi-get, each SET a datagram of its own, as the protocol has it. */
export class MemcachedUdp implements PeerClient {
  readonly #socket: UdpBatchSocket
  readonly #received: Buffer
  /** Datagrams that were not sent yet lie here, in slots by turns. */
  readonly #slots = Buffer.alloc(SLOTS * SLOT_BYTES)
  #slot = 0
  readonly #pending = new Map<
    number,
    { left: number; parts: number; keys: number; wrong: number; finish: (wrong: number) => void }
  >()
  #id = 0

  constructor(address: string, port: number) {
    this.#socket = new UdpBatchSocket('0.0.0.0', [{ address, port }], { batch: SLOTS })
    this.#received = Buffer.from(this.#socket.received.buffer)
  }

  poll(): void {
    const socket = this.#socket
    socket.flush()
    const count = socket.receive()
    for (let i = 0; i < count; i++) {
      this.#receive(this.#received.subarray(i * socket.slotBytes, i * socket.slotBytes + socket.length(i)))
    }
    socket.flush()
  }

  send(batch: readonly Operation[], done: (result: BatchResult) => void): void {
    const gets = batch.filter(({ value }) => value === undefined)
    const sets = batch.filter(({ value }) => value !== undefined)
    let left = sets.length + (gets.length > 0 ? 1 : 0)
    let wrong = 0
    const finish = (wrongOnes: number) => {
      wrong += wrongOnes
      if (--left === 0) done({ answered: batch.length, wrong })
    }
    if (gets.length > 0) this.#request(`get ${gets.map(({ key }) => key).join(' ')}\r\n`, finish)
    for (const { key, value } of sets) this.#request(`set ${key} 0 0 ${value!.length}\r\n${value}\r\n`, finish)
  }

  #request(text: string, finish: (wrong: number) => void): void {
    this.#id = (this.#id + 1) & 0xffff
    const id = this.#id
    this.#pending.set(id, { left: -1, parts: 0, keys: 0, wrong: 0, finish })
    // A full batch is sent at once, so a slot is free again when its turn comes.
    const at = this.#slot * SLOT_BYTES
    this.#slot = (this.#slot + 1) % SLOTS
    const packet = this.#slots
    packet.writeUInt16BE(id, at)
    packet.writeUInt16BE(0, at + 2)
    packet.writeUInt16BE(1, at + 4)
    packet.writeUInt16BE(0, at + 6)
    const length = packet.write(text, at + 8, 'latin1')
    this.#socket.queue(packet, at, 8 + length, 0)
  }

  #receive(message: Buffer): void {
    const id = message.readUInt16BE(0)
    const one = this.#pending.get(id)
    if (one === undefined) return
    if (one.left < 0) one.left = message.readUInt16BE(4)
    // Values that a datagram's end cuts in two are not looked into.
    for (const [, key, length, value] of message
      .toString('latin1', 8)
      .matchAll(/VALUE (\S+) \d+ (\d+)\r\n([^\r]*)\r\n/g)) {
      if (value.length === Number(length) && !isRight(key, value)) one.wrong++
    }
    if (--one.left > 0) return
    this.#pending.delete(id)
    one.finish(one.wrong)
  }

  close(): void {
    this.#socket.close()
  }
}

/** One connection, and the answers that come over it in the order of the requests. */
abstract class StreamClient implements PeerClient {
  readonly #socket: Socket
  #buffer: Buffer = Buffer.alloc(0)
  readonly #waiting: {
    operation: Operation
    last: boolean
    batch: { wrong: number; size: number; done: (r: BatchResult) => void }
  }[] = []
  #head = 0

  constructor(address: string, port: number) {
    this.#socket = createConnection({ host: address, port, noDelay: true })
    this.#socket.on('data', (data) => this.#receive(data))
  }

  protected abstract encode(operation: Operation): string
  /** Bytes of the answer at `at` and whether it is right. */
  protected abstract decode(
    buffer: Buffer,
    at: number,
    operation: Operation,
  ): { length: number; right: boolean } | undefined

  send(operations: readonly Operation[], done: (result: BatchResult) => void): void {
    const batch = { wrong: 0, size: operations.length, done }
    let text = ''
    for (const [i, operation] of operations.entries()) {
      text += this.encode(operation)
      this.#waiting.push({ operation, last: i === operations.length - 1, batch })
    }
    this.#socket.write(text, 'latin1')
  }

  #receive(data: Buffer): void {
    const buffer = this.#buffer.length === 0 ? data : Buffer.concat([this.#buffer, data])
    let at = 0
    while (this.#head < this.#waiting.length && at < buffer.length) {
      const { operation, last, batch } = this.#waiting[this.#head]
      const answer = this.decode(buffer, at, operation)
      if (answer === undefined) break
      at += answer.length
      this.#head++
      if (!answer.right) batch.wrong++
      if (last) batch.done({ answered: batch.size, wrong: batch.wrong })
    }
    if (this.#head > 4096) this.#waiting.splice(0, this.#head)
    if (this.#head > 4096) this.#head = 0
    this.#buffer = buffer.subarray(at)
  }

  close(): void {
    this.#socket.destroy()
  }
}

const CRLF = Buffer.from('\r\n')

export class MemcachedTcp extends StreamClient {
  protected encode({ key, value }: Operation): string {
    return value === undefined ? `get ${key}\r\n` : `set ${key} 0 0 ${value.length}\r\n${value}\r\n`
  }

  protected decode(buffer: Buffer, at: number, { key, value }: Operation) {
    const end = buffer.indexOf(CRLF, at)
    if (end < 0) return undefined
    const line = buffer.toString('latin1', at, end)
    if (value !== undefined) return { length: end + 2 - at, right: line === 'STORED' }
    if (line === 'END') return { length: end + 2 - at, right: true }
    const length = Number(line.slice(line.lastIndexOf(' ') + 1))
    const whole = end + 2 + length + 2 + 5
    if (buffer.length < whole) return undefined
    return { length: whole - at, right: isRight(key, buffer.toString('latin1', end + 2, end + 2 + length)) }
  }
}

export class Redis extends StreamClient {
  protected encode({ key, value }: Operation): string {
    return value === undefined
      ? `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`
      : `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`
  }

  protected decode(buffer: Buffer, at: number, { key, value }: Operation) {
    const end = buffer.indexOf(CRLF, at)
    if (end < 0) return undefined
    const line = buffer.toString('latin1', at, end)
    if (value !== undefined) return { length: end + 2 - at, right: line === '+OK' }
    const length = Number(line.slice(1))
    if (length < 0) return { length: end + 2 - at, right: true }
    const whole = end + 2 + length + 2
    if (buffer.length < whole) return undefined
    return { length: whole - at, right: isRight(key, buffer.toString('latin1', end + 2, end + 2 + length)) }
  }
}
