import { copyBytes } from '@parakernel/hal'
import { draw, scatter } from './random.ts'

// Words before the tables.
const LOCK = 0
/** Slots in use: blocks whose content may still be lost. */
const COUNT = 1
/** The last group that was given out. */
const GROUP = 2
const RANDOM = 3
const HEADER = 16

/** Where content becomes stable, if that is more than memory. */
export interface StableSink {
  /** Writes blocks of the media; false when that failed. */
  write(firstBlock: number, blocks: number): boolean
}

/** The shared form: plain clonable data. */
export interface CacheMemory {
  readonly words: SharedArrayBuffer
  readonly undo: SharedArrayBuffer
}

/**
 * A volatile write cache, told backwards: the media always hold what a read shall see, and the cache keeps, for each block that was
 * written since it was last stable, the bytes that a power cut may bring back. So reads cost nothing and a flush forgets.
 *
 * Blocks of one atomic write form a group, which survives whole or not at all. A group that is overwritten in part becomes
 * stable first, as a device may do at any time. A lone block that is overwritten becomes stable before in one of two cases, at random, so
 * that a power cut finds each of its versions.
 */
export class WriteCache {
  readonly #media: Uint8Array
  readonly #blockSize: number
  readonly #blocks: number
  readonly #sink: StableSink | undefined
  readonly #locked: boolean
  /** Header, slot of each block plus 1, and by slot: the block, and its group or 0. */
  #words: Int32Array
  /** By slot: the stable content. */
  #undo: Uint8Array
  readonly #blockOf: number
  readonly #groupOf: number

  /** @param memory shared with other threads, whose views lock each other out; else everything grows as needed */
  constructor(media: Uint8Array, blockSize: number, seed: number, sink?: StableSink, memory?: CacheMemory) {
    this.#media = media
    this.#blockSize = blockSize
    this.#blocks = media.byteLength / blockSize
    this.#sink = sink
    this.#locked = memory !== undefined
    this.#words = memory === undefined ? new Int32Array(HEADER + 3 * this.#blocks) : new Int32Array(memory.words)
    this.#undo = memory === undefined ? new Uint8Array(0) : new Uint8Array(memory.undo)
    this.#blockOf = HEADER + this.#blocks
    this.#groupOf = HEADER + 2 * this.#blocks
    if (memory === undefined) this.#words[RANDOM] = scatter(seed, -1)
  }

  static allocate(blocks: number, blockSize: number, seed: number): CacheMemory {
    const words = new SharedArrayBuffer((HEADER + 3 * blocks) * 4)
    new Int32Array(words)[RANDOM] = scatter(seed, -1)
    return { words, undo: new SharedArrayBuffer(blocks * blockSize) }
  }

  /** Blocks that are not stable. */
  get dirty(): number {
    return this.#words[COUNT]
  }

  /** Spins until no other thread is inside; calls that change anything stand between this and `unlock`. */
  lock(owner: number): void {
    if (!this.#locked) return
    while (Atomics.compareExchange(this.#words, LOCK, 0, owner) !== 0);
  }

  unlock(): void {
    if (this.#locked) Atomics.store(this.#words, LOCK, 0)
  }

  /** Control thread: the owner is gone. One that lives gets `milliseconds` to come out by itself. */
  breakLock(owner: number, milliseconds: number): void {
    if (!this.#locked) return
    const end = performance.now() + milliseconds
    while (Atomics.load(this.#words, LOCK) === owner) {
      if (performance.now() > end) Atomics.compareExchange(this.#words, LOCK, owner, 0)
    }
  }

  /** Before a write: keeps what is stable of these blocks. `group`: they belong together. */
  keep(firstBlock: number, blocks: number, group: boolean): void {
    const words = this.#words
    let id = 0
    if (group) {
      id = (words[GROUP] + 1) & 0x3fff_ffff || 1
      words[GROUP] = id
    }
    for (let block = firstBlock; block < firstBlock + blocks; block++) {
      let slot = words[HEADER + block] - 1
      if (slot >= 0 && (id > 0 || words[this.#groupOf + slot] > 0)) {
        this.#settle(slot)
        slot = -1
      }
      if (slot < 0) this.#add(block, id)
      else if ((draw(words, RANDOM) & 1) === 0) this.#save(slot, block)
    }
  }

  /** Before a write that is stable at once: older content of these blocks need not be kept any more. */
  pass(firstBlock: number, blocks: number): void {
    const words = this.#words
    if (words[COUNT] === 0) return
    for (let block = firstBlock; block < firstBlock + blocks; block++) {
      const slot = words[HEADER + block] - 1
      if (slot >= 0) this.#settle(slot)
    }
  }

  /** Everything becomes stable; false when the sink failed, and then nothing changes. */
  flush(): boolean {
    const words = this.#words
    const count = words[COUNT]
    if (!this.#drain(count)) return false
    for (let slot = 0; slot < count; slot++) words[HEADER + words[this.#blockOf + slot]] = 0
    words[COUNT] = 0
    return true
  }

  /** Of what is not stable, brings back a random legal subset. `random` is like `Math.random`. */
  powerCut(random: () => number): void {
    const words = this.#words
    const count = words[COUNT]
    const groups = new Map<number, boolean>()
    for (let slot = 0; slot < count; slot++) {
      const block = words[this.#blockOf + slot]
      const group = words[this.#groupOf + slot]
      let lost = group > 0 ? groups.get(group) : undefined
      if (lost === undefined) {
        lost = random() < 0.5
        groups.set(group, lost)
      }
      const start = slot * this.#blockSize
      if (lost) this.#media.set(this.#undo.subarray(start, start + this.#blockSize), block * this.#blockSize)
    }
    this.flush()
  }

  #add(block: number, group: number): void {
    const words = this.#words
    const slot = words[COUNT]
    if ((slot + 1) * this.#blockSize > this.#undo.length) this.#grow()
    words[this.#blockOf + slot] = block
    words[this.#groupOf + slot] = group
    this.#save(slot, block)
    words[HEADER + block] = slot + 1
    words[COUNT] = slot + 1
  }

  #save(slot: number, block: number): void {
    copyBytes(this.#media, block * this.#blockSize, this.#blockSize, this.#undo, slot * this.#blockSize)
  }

  /** A block, and all that is in its group, becomes stable. */
  #settle(slot: number): void {
    const group = this.#words[this.#groupOf + slot]
    if (group === 0) {
      this.#remove(slot)
      return
    }
    for (let s = this.#words[COUNT] - 1; s >= 0; s--) if (this.#words[this.#groupOf + s] === group) this.#remove(s)
  }

  #remove(slot: number): void {
    const words = this.#words
    const block = words[this.#blockOf + slot]
    this.#sink?.write(block, 1)
    const last = words[COUNT] - 1
    words[HEADER + block] = 0
    if (slot < last) {
      const moved = words[this.#blockOf + last]
      words[this.#blockOf + slot] = moved
      words[this.#groupOf + slot] = words[this.#groupOf + last]
      const size = this.#blockSize
      this.#undo.copyWithin(slot * size, last * size, (last + 1) * size)
      words[HEADER + moved] = slot + 1
    }
    words[COUNT] = last
  }

  /** Writes the first `count` slots' blocks to the sink, neighbours at once. */
  #drain(count: number): boolean {
    const sink = this.#sink
    if (sink === undefined) return true
    const words = this.#words
    for (let slot = 0; slot < count; ) {
      const first = words[this.#blockOf + slot]
      let run = 1
      while (slot + run < count && words[this.#blockOf + slot + run] === first + run) run++
      if (!sink.write(first, run)) return false
      slot += run
    }
    return true
  }

  #grow(): void {
    const larger = new Uint8Array(Math.max(16 * this.#blockSize, 2 * this.#undo.length))
    larger.set(this.#undo)
    this.#undo = larger
  }
}
