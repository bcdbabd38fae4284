/**
 * The receive filter of a device, in memory that the XDP program and every holder of a queue share: which destination
 * addresses may pass besides broadcast. Holders write their own queue's share with atomic operations and nobody waits for
 * anybody; so a holder that is killed leaves the table whole, and the control thread takes its share out.
 *
 *     0    own address, in the upper six bytes as all addresses here
 *     8    for each bank of 16 queues: a mask of the promiscuous ones, one of those that want every group, and GROUPS
 *          slots, each an address with the mask of the queues that asked for it in the lower two bytes, or 0
 *     ...  for each queue: frames that were left out, which the program counts
 */
export const OWN_ADDRESS = 0
const BANKS = 8
const BANK_QUEUES = 16
/** Group addresses that one bank holds. When there are more, a queue is given every group, as many a NIC does. */
export const GROUPS = 64
const SLOTS_IN_BANK = 8
const BANK_BYTES = SLOTS_IN_BANK + GROUPS * 8
const PAGE = 4096

const QUEUE_MASK = 0xffffn

export const bankCount = (queues: number) => Math.ceil(queues / BANK_QUEUES)
export const promiscuousMask = (bank: number) => BANKS + bank * BANK_BYTES
export const allGroupsMask = (bank: number) => promiscuousMask(bank) + 4
export const groupSlot = (bank: number, slot: number) => promiscuousMask(bank) + SLOTS_IN_BANK + slot * 8
export const leftOutCount = (queues: number, queue: number) => BANKS + bankCount(queues) * BANK_BYTES + queue * 8

/** Whole pages, as mapping wants them. */
export const filterTableBytes = (queues: number) => Math.ceil(leftOutCount(queues, queues) / PAGE) * PAGE

/** An address as the table's words have it, from its six bytes: the first byte lowest, queue mask empty. */
export function packAddress(bytes: Uint8Array): bigint {
  let packed = 0n
  for (let i = 5; i >= 0; i--) packed = (packed << 8n) | BigInt(bytes[i])
  return packed << 16n
}

export function unpackAddress(packed: bigint): Uint8Array {
  return Uint8Array.from({ length: 6 }, (_, i) => Number((packed >> BigInt(16 + i * 8)) & 0xffn))
}

/** A view of the table; every thread makes its own. */
export class FilterTable {
  readonly queues: number
  readonly #words: BigUint64Array
  readonly #halves: Int32Array

  constructor(buffer: ArrayBuffer, queues: number) {
    this.queues = queues
    this.#words = new BigUint64Array(buffer)
    this.#halves = new Int32Array(buffer)
  }

  setOwnAddress(bytes: Uint8Array): void {
    Atomics.store(this.#words, OWN_ADDRESS >> 3, packAddress(bytes))
  }

  /** Frames that arrived on `queue`, that the rules name and the filter does not let pass. */
  leftOut(queue: number): number {
    return Number(Atomics.load(this.#words, leftOutCount(this.queues, queue) >> 3))
  }

  share(queue: number): FilterShare {
    return new FilterShare(this.#words, this.#halves, queue)
  }
}

/** What one queue asked for. One holder writes it at a time, beside those of other queues. */
export class FilterShare {
  readonly #words: BigUint64Array
  readonly #halves: Int32Array
  readonly #bank: number
  readonly #bit: number

  constructor(words: BigUint64Array, halves: Int32Array, queue: number) {
    this.#words = words
    this.#halves = halves
    this.#bank = Math.floor(queue / BANK_QUEUES)
    this.#bit = 1 << (queue % BANK_QUEUES)
  }

  get promiscuous(): boolean {
    return this.#flag(promiscuousMask(this.#bank))
  }

  set promiscuous(on: boolean) {
    this.#setFlag(promiscuousMask(this.#bank), on)
  }

  get allGroups(): boolean {
    return this.#flag(allGroupsMask(this.#bank))
  }

  set allGroups(on: boolean) {
    this.#setFlag(allGroupsMask(this.#bank), on)
  }

  /** Packed addresses, each once. */
  groups(): Set<bigint> {
    const found = new Set<bigint>()
    for (let slot = 0; slot < GROUPS; slot++) {
      const word = Atomics.load(this.#words, this.#at(slot))
      if ((word & BigInt(this.#bit)) !== 0n) found.add(word & ~QUEUE_MASK)
    }
    return found
  }

  /** False when the bank is full. */
  add(group: bigint): boolean {
    const bit = BigInt(this.#bit)
    for (let slot = 0; slot < GROUPS; slot++) {
      const at = this.#at(slot)
      for (let word = Atomics.load(this.#words, at); (word & ~QUEUE_MASK) === group; ) {
        const before = Atomics.compareExchange(this.#words, at, word, word | bit)
        if (before === word) return true
        word = before
      }
    }
    for (let slot = 0; slot < GROUPS; slot++) {
      // Another queue may put the same group into another slot meanwhile: either is found, and each is removed by its own.
      if (Atomics.compareExchange(this.#words, this.#at(slot), 0n, group | bit) === 0n) return true
    }
    return false
  }

  remove(group: bigint): void {
    const bit = BigInt(this.#bit)
    for (let slot = 0; slot < GROUPS; slot++) {
      const at = this.#at(slot)
      for (let word = Atomics.load(this.#words, at); (word & ~QUEUE_MASK) === group && (word & bit) !== 0n; ) {
        const rest = word & ~bit
        const before = Atomics.compareExchange(this.#words, at, word, (rest & QUEUE_MASK) === 0n ? 0n : rest)
        if (before === word) break
        word = before
      }
    }
  }

  #at(slot: number): number {
    return groupSlot(this.#bank, slot) >> 3
  }

  #flag(offset: number): boolean {
    return (Atomics.load(this.#halves, offset >> 2) & this.#bit) !== 0
  }

  #setFlag(offset: number, on: boolean): void {
    if (on) Atomics.or(this.#halves, offset >> 2, this.#bit)
    else Atomics.and(this.#halves, offset >> 2, ~this.#bit)
  }
}
