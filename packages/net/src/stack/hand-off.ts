import { copyBytes, type Host, WakeWord } from '@parakernel/hal'
import { wake } from '@parakernel/kernel'

/** Shared by the partitions of one address: the ring, and the wake word of each partition, by its number. */
export interface HandOffShare {
  readonly buffer: SharedArrayBuffer
  /** Empty: a partition that sleeps hears of a packet when something else has woken it. */
  readonly wakes: readonly SharedArrayBuffer[]
}

/** A packet that another partition has received. Its bytes stand in the ring until the visit ends. */
export interface HandedPacket {
  /** Index of the interface that it came by. */
  readonly interface: number
  /** EtherType. */
  readonly type: number
  /** Destination and source of its Ethernet header, in their two parts. */
  readonly toHigh: number
  readonly toLow: number
  readonly fromHigh: number
  readonly fromLow: number
  /** From its IP header on. */
  readonly bytes: Uint8Array
}

const SLOTS = 64
/** No packet longer than this is handed on: one that takes several frames of a partition is. */
export const LONGEST_HANDED = 4064
const SLOT_WORDS = 8 + LONGEST_HANDED / 4
const HEADER_WORDS = 16

/** Words of a slot: a version that is odd while it is written, and the packet's description before its bytes. */
const VERSION = 0
const FROM = 1
const LENGTH = 2
const INTERFACE_AND_TYPE = 3
const TO_HIGH = 4
const FROM_HIGH = 5
const LOWS = 6
const BYTES = 8

export function handOffBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer((HEADER_WORDS + SLOTS * SLOT_WORDS) * 4)
}

/**
 * Packets that concern every partition of an address, and that a device brings to one queue only: those to groups and broadcast
 * addresses, ICMP errors and echo replies, advertisements of routers. Whoever receives one writes it into a ring that all others
 * read, each at its own pace. A reader that falls behind by more than the ring holds has lost what it missed, and counts it.
 *
 * Any partition may write at any time: a ticket names the slot, and the slot's version says whether its packet is whole.
 */
export class HandOff {
  /** Packets that were overwritten before this partition had read them. */
  lost = 0
  readonly #words: Int32Array
  readonly #bytes: Uint8Array
  readonly #wakes: readonly WakeWord[]
  readonly #partition: number
  readonly #host: Host | undefined
  /** The next ticket to read. */
  #next: number

  constructor({ buffer, wakes }: HandOffShare, partition: number, host: Host | undefined) {
    this.#words = new Int32Array(buffer)
    this.#bytes = new Uint8Array(buffer)
    this.#wakes = wakes.filter((_, i) => i !== partition).map((words) => new WakeWord(words))
    this.#partition = partition
    this.#host = host
    this.#next = Atomics.load(this.#words, 0)
  }

  /** Whether there is something to read. */
  get hasNews(): boolean {
    return Atomics.load(this.#words, 0) !== this.#next
  }

  /** Tells the others of a packet of `length` bytes at `at`, at most `LONGEST_HANDED`. */
  offer(
    view: DataView,
    bytes: Uint8Array,
    ethernetAt: number,
    at: number,
    length: number,
    iface: number,
    type: number,
  ): void {
    const words = this.#words
    const ticket = Atomics.add(words, 0, 1)
    // Our own are not read; without this a partition that only writes would seem to fall behind.
    if (ticket === this.#next) this.#next = (ticket + 1) | 0
    const slot = slotOf(ticket)
    Atomics.store(words, slot + VERSION, ((ticket << 1) + 1) | 0)
    words[slot + FROM] = this.#partition
    words[slot + LENGTH] = length
    words[slot + INTERFACE_AND_TYPE] = (iface << 16) | type
    words[slot + TO_HIGH] = view.getInt32(ethernetAt)
    words[slot + FROM_HIGH] = view.getInt32(ethernetAt + 6)
    words[slot + LOWS] = (view.getUint16(ethernetAt + 4) << 16) | view.getUint16(ethernetAt + 10)
    copyBytes(bytes, at, length, this.#bytes, (slot + BYTES) * 4)
    Atomics.store(words, slot + VERSION, ((ticket << 1) + 2) | 0)
    for (const word of this.#wakes) wake(word, this.#host)
  }

  /** Visits what others have written since the last call, in order; answers how many packets that were. */
  take(visit: (packet: HandedPacket) => void): number {
    const words = this.#words
    const end = Atomics.load(words, 0)
    let taken = 0
    const behind = (end - this.#next) | 0
    if (behind > SLOTS) {
      this.lost += behind - SLOTS
      this.#next = (end - SLOTS) | 0
    }
    for (; this.#next !== end; this.#next = (this.#next + 1) | 0) {
      const slot = slotOf(this.#next)
      const whole = ((this.#next << 1) + 2) | 0
      const version = Atomics.load(words, slot + VERSION)
      // Its writer has the ticket and is not done: it and what follows have their turn in the next round.
      if (((version - whole) | 0) < 0) break
      if (version !== whole) {
        this.lost++
        continue
      }
      if (words[slot + FROM] === this.#partition) continue
      const packet = this.#read(slot)
      if (Atomics.load(words, slot + VERSION) !== whole) {
        this.lost++
        continue
      }
      visit(packet)
      taken++
    }
    return taken
  }

  #read(slot: number): HandedPacket {
    const words = this.#words
    const at = (slot + BYTES) * 4
    const lows = words[slot + LOWS]
    const place = words[slot + INTERFACE_AND_TYPE]
    return {
      interface: place >>> 16,
      type: place & 0xffff,
      toHigh: words[slot + TO_HIGH],
      toLow: lows >>> 16,
      fromHigh: words[slot + FROM_HIGH],
      fromLow: lows & 0xffff,
      // A copy: the slot may be written again at any time.
      bytes: this.#bytes.slice(at, at + Math.min(words[slot + LENGTH], LONGEST_HANDED)),
    }
  }
}

function slotOf(ticket: number): number {
  return HEADER_WORDS + (ticket & (SLOTS - 1)) * SLOT_WORDS
}
