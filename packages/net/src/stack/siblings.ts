import type { MacParts } from '../ethernet/mac.ts'
import type { Ipv4Address } from '../ipv4/address.ts'

const SEQUENCE = 0
const HEADER_WORDS = 16
const SLOTS = 256
const SLOT_WORDS = 4
const PORTS = 65_536
const PORTS_OFFSET = (HEADER_WORDS + SLOTS * SLOT_WORDS) * 4

/** Words of a slot: a version that is odd while it is written, then the entry. */
const VERSION = 0
const ADDRESS = 1
const HIGH = 2
const LOW = 3

/** Shared memory for {@link Siblings}. */
export function siblingsBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(PORTS_OFFSET + PORTS)
}

/**
 * What the partitions that share one IP and one MAC address must tell each other, in shared memory, and nothing else:
 *
 * - **Neighbours.** An ARP reply arrives at one queue, which need not be the asker's. Whoever learns a mapping publishes it; a
 *   partition that has an unresolved neighbour watches the sequence word, and takes what was published. A table of 256
 *   slots, direct-mapped: a lost entry costs one more ARP request.
 * - **Ports.** How many partitions have each UDP port open, so that a partition answers port unreachable only when none has.
 *
 * Read and written on the control path alone (ARP packets, bind, closed ports), never for a datagram that is delivered.
 */
export class Siblings {
  readonly #words: Int32Array
  readonly #ports: Uint8Array
  #seen = 0

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, PORTS_OFFSET / 4)
    this.#ports = new Uint8Array(buffer, PORTS_OFFSET, PORTS)
  }

  /** Tells the others. A slot that another partition is writing at this moment is left to it. */
  publish(address: Ipv4Address, high: number, low: number): void {
    const words = this.#words
    const slot = slotOf(address)
    const version = Atomics.load(words, slot + VERSION)
    if ((version & 1) !== 0 || Atomics.compareExchange(words, slot, version, version + 1) !== version) return
    Atomics.store(words, slot + ADDRESS, address)
    Atomics.store(words, slot + HIGH, high)
    Atomics.store(words, slot + LOW, low)
    Atomics.store(words, slot + VERSION, (version + 2) | 0)
    Atomics.add(words, SEQUENCE, 1)
  }

  /** Whether anything was published since the last call that said so. */
  changed(): boolean {
    const sequence = Atomics.load(this.#words, SEQUENCE)
    if (sequence === this.#seen) return false
    this.#seen = sequence
    return true
  }

  /** The MAC address that was last published for a neighbour. */
  find(address: Ipv4Address): MacParts | undefined {
    const words = this.#words
    const slot = slotOf(address)
    const version = Atomics.load(words, slot + VERSION)
    const found = Atomics.load(words, slot + ADDRESS)
    const high = Atomics.load(words, slot + HIGH)
    const low = Atomics.load(words, slot + LOW)
    if (version === 0 || (version & 1) !== 0 || found !== address) return undefined
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
}

function slotOf(address: Ipv4Address): number {
  const hash = Math.imul(address, 0x9e3779b1) >>> 24
  return HEADER_WORDS + hash * SLOT_WORDS
}
