import { BLOCK_COMPARE, BLOCK_READ, BLOCK_WRITE, type BlockBurst } from '@parakernel/hal'
import { DRAWS, threshold } from '../faults/random.ts'
import { type BlockFaultSettings, MEDIA, TIMES } from './settings.ts'

/** What happens to a command. */
export const PASS = 0
export const FAIL = 1
export const SHORTEN = 2
export const TEAR = 3
export const HANG = 4
export const DELAY = 5

// Streams of decisions, each of its own, so that turning one fault on does not change when another strikes.
const STREAMS = 7
const PART = 5
/** Entries of `media` that are never used up. */
export const FOR_EVER = -1

/** Decides by seed, command by command. Allocates nothing after construction. */
export class Fates {
  readonly #settings: BlockFaultSettings
  readonly #state = new Int32Array(STREAMS)
  readonly #thresholds: Float64Array
  readonly #shared: Int32Array
  readonly #counters: Float64Array
  readonly #rot: number

  constructor(settings: BlockFaultSettings, queue: number, counters: Float64Array) {
    this.#settings = settings
    this.#counters = counters
    this.#shared = new Int32Array(settings.shared)
    const { seed, fail, short, torn, hang, delay, rot } = settings
    this.#thresholds = Float64Array.of(fail, short, torn, hang, delay).map(threshold)
    this.#rot = threshold(rot)
    for (let stream = 0; stream < STREAMS; stream++) {
      this.#state[stream] = mix(mix(seed, queue + 1), stream + 1)
    }
  }

  /** What happens to command `i`: one of the constants above. */
  decide(burst: BlockBurst, i: number): number {
    // Every stream moves with every command, whatever the others say.
    let fate = PASS
    for (let kind = 4; kind >= 0; kind--) if (this.#draw(kind) < this.#thresholds[kind]) fate = kind + 1
    const opcode = burst.opcode[i]
    if (this.#isBad(burst, i, opcode)) {
      this.#counters[MEDIA]++
      return -FAIL
    }
    if (fate === SHORTEN && opcode !== BLOCK_READ && opcode !== BLOCK_WRITE) return FAIL
    return fate === TEAR && opcode !== BLOCK_WRITE ? PASS : fate
  }

  /** Blocks of a command that is cut: 0 to one less than it has. */
  part(blocks: number): number {
    return Math.floor((this.#draw(PART) / DRAWS) * blocks)
  }

  get rots(): boolean {
    return this.#rot > 0 || this.#settings.media.some(({ on }) => on === 'rot')
  }

  /** The bit of a block that reads flipped, or -1. */
  rottenBit(namespace: number, lba: number, bits: number): number {
    const hash = mix(mix(mix(this.#settings.seed, 77), namespace), lba | 0) ^ Math.floor(lba / 0x1_0000_0000)
    if (hash >>> 1 < this.#rot || this.#takes('rot', namespace, lba, 1)) return (mix(hash, 5) >>> 1) % bits
    return -1
  }

  #isBad(burst: BlockBurst, i: number, opcode: number): boolean {
    if (this.#settings.media.length === 0 || burst.blocks[i] < 1) return false
    const reads = opcode === BLOCK_READ || opcode === BLOCK_COMPARE
    return this.#takes(reads ? 'read' : 'write', burst.namespace[i], burst.lba[i], burst.blocks[i])
  }

  #takes(what: 'read' | 'write' | 'rot', namespace: number, lba: number, blocks: number): boolean {
    const { media } = this.#settings
    for (let m = 0; m < media.length; m++) {
      const bad = media[m]
      const on = bad.on ?? 'both'
      if (on !== what && !(on === 'both' && what !== 'rot')) continue
      if (bad.namespace !== undefined && bad.namespace !== namespace) continue
      if (lba >= bad.firstLba + bad.blocks || lba + blocks <= bad.firstLba) continue
      const left = Atomics.load(this.#shared, TIMES + m)
      if (left === 0) continue
      if (left > 0) Atomics.sub(this.#shared, TIMES + m, 1)
      return true
    }
    return false
  }

  /** 31 random bits of a stream (mulberry32). */
  #draw(stream: number): number {
    const state = (this.#state[stream] + 0x6d2b79f5) | 0
    this.#state[stream] = state
    let bits = Math.imul(state ^ (state >>> 15), state | 1)
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61)
    return (bits ^ (bits >>> 14)) >>> 1
  }
}

/** A hash of two numbers: every bit of each moves half of the result's. */
function mix(a: number, b: number): number {
  let hash = Math.imul(a ^ 0x9e3779b1, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return hash ^ (hash >>> 13)
}
