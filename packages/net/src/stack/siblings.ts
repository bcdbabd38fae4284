import type { IpWords } from '@parakernel/queue'
import type { MacParts } from '../ethernet/mac.ts'

const SEQUENCE = 0
const HEADER_WORDS = 16
const SLOTS = 256
const SLOT_WORDS = 8
const PORTS = 65_536
const PORTS_OFFSET = (HEADER_WORDS + SLOTS * SLOT_WORDS) * 4
const TCP_PORTS_OFFSET = PORTS_OFFSET + PORTS

/** Words of a slot: a version that is odd while it is written, then the entry, whose address takes four. */
const VERSION = 0
const ADDRESS = 1
const HIGH = 5
const LOW = 6

/** Shared memory for {@link Siblings}. */
export function siblingsBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(TCP_PORTS_OFFSET + PORTS)
}

/**
 * What the partitions that share one IP and one MAC address must tell each other, in shared memory, and nothing else:
 *
 * - **Neighbours.** An ARP reply, or a neighbour advertisement, arrives at one queue, which need not be the asker's. Whoever learns
 *   a mapping publishes it; a partition that has an unresolved neighbour watches the sequence word, and takes what was
 *   published. A table of 256 slots, direct-mapped: a lost entry costs one more request.
 * - **Ports.** How many sockets of all partitions have each UDP and each TCP port open, so that a partition answers port
 *   unreachable, or with a reset, only when none has.
 *
 * Read and written on the control path alone (ARP packets, bind, closed ports), never for a datagram that is delivered.
 */
export class Siblings {
  readonly #words: Int32Array
  readonly #ports: Uint8Array
  readonly #tcpPorts: Uint8Array

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, PORTS_OFFSET / 4)
    this.#ports = new Uint8Array(buffer, PORTS_OFFSET, PORTS)
    this.#tcpPorts = new Uint8Array(buffer, TCP_PORTS_OFFSET, PORTS)
  }

  /** Tells the others; IPv4 is mapped. A slot that another partition is writing at this moment is left to it. */
  publish(address: IpWords, high: number, low: number): void {
    const words = this.#words
    const slot = slotOf(address)
    const version = Atomics.load(words, slot + VERSION)
    if ((version & 1) !== 0 || Atomics.compareExchange(words, slot, version, version + 1) !== version) return
    for (let i = 0; i < 4; i++) Atomics.store(words, slot + ADDRESS + i, address[i])
    Atomics.store(words, slot + HIGH, high)
    Atomics.store(words, slot + LOW, low)
    Atomics.store(words, slot + VERSION, (version + 2) | 0)
    Atomics.add(words, SEQUENCE, 1)
  }

  /** Counts what was published: who remembers it knows whether there is news. */
  get sequence(): number {
    return Atomics.load(this.#words, SEQUENCE)
  }

  /** The MAC address that was last published for a neighbour. */
  find(address: IpWords): MacParts | undefined {
    const words = this.#words
    const slot = slotOf(address)
    const version = Atomics.load(words, slot + VERSION)
    let same = true
    for (let i = 0; i < 4; i++) same = Atomics.load(words, slot + ADDRESS + i) === address[i] && same
    const high = Atomics.load(words, slot + HIGH)
    const low = Atomics.load(words, slot + LOW)
    if (version === 0 || (version & 1) !== 0 || !same) return undefined
    return Atomics.load(words, slot + VERSION) === version ? { high, low } : undefined
  }

  portOpened(port: number): void {
    Atomics.add(this.#ports, port, 1)
  }

  portClosed(port: number): void {
    Atomics.sub(this.#ports, port, 1)
  }

  /** Whether any partition has it open. */
  hasPort(port: number): boolean {
    return Atomics.load(this.#ports, port) > 0
  }

  tcpPortOpened(port: number): void {
    Atomics.add(this.#tcpPorts, port, 1)
  }

  tcpPortClosed(port: number): void {
    Atomics.sub(this.#tcpPorts, port, 1)
  }

  hasTcpPort(port: number): boolean {
    return Atomics.load(this.#tcpPorts, port) > 0
  }
}

function slotOf(address: IpWords): number {
  let hash = 0
  for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ address[i], 0x9e3779b1)
  hash >>>= 24
  return HEADER_WORDS + hash * SLOT_WORDS
}
