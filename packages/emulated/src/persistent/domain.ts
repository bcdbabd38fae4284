import { copyBytes } from '@parakernel/hal'

/** Bytes that a store makes visible at once, and that survive whole or not at all. */
export const WORD = 8
/** Bytes that are poisoned at once, as a cache line of real media is. */
export const POISON_UNIT = 64
/** What poisoned bytes read as here, where no machine check is raised. */
const RUBBISH = 0xbd

/** Plain clonable data: what every thread that holds a range shares, beside the memory itself. */
export interface DomainMemory {
  readonly durable: SharedArrayBuffer
  readonly staged: SharedArrayBuffer
  /** One byte for each 64 bytes. */
  readonly poison: SharedArrayBuffer
}

/**
 * Three contents of the same bytes: what loads see, what was flushed, and what is durable. A flush copies lines from the first to the
 * second, a drain from the second to the third; so what is stored between the two is not covered. Power fails: each word that differs
 * is found in any of its versions.
 */
export class PersistenceDomain {
  readonly visible: Uint8Array
  readonly durable: Uint8Array
  readonly #staged: Uint8Array
  readonly #poison: Uint8Array

  constructor(visible: Uint8Array, { durable, staged, poison }: DomainMemory) {
    this.visible = visible
    this.durable = new Uint8Array(durable)
    this.#staged = new Uint8Array(staged)
    this.#poison = new Uint8Array(poison)
  }

  static allocate(byteLength: number): DomainMemory {
    return {
      durable: new SharedArrayBuffer(byteLength),
      staged: new SharedArrayBuffer(byteLength),
      poison: new SharedArrayBuffer(Math.ceil(byteLength / POISON_UNIT)),
    }
  }

  /** What is in `durable` is visible, and nothing else is on its way. */
  load(): void {
    this.visible.set(this.durable)
    this.#staged.set(this.durable)
  }

  stage(offset: number, length: number): void {
    copyRun(this.visible, this.#staged, offset, length)
  }

  commit(offset: number, length: number): void {
    copyRun(this.#staged, this.durable, offset, length)
  }

  /** @param random like `Math.random` */
  powerCut(random: () => number): void {
    const { visible, durable } = this
    const staged = this.#staged
    for (let at = 0; at < visible.length; at += WORD) {
      if (equal(visible, durable, at) && equal(staged, durable, at)) continue
      const pick = random()
      const from = pick < 0.4 ? visible : pick < 0.6 ? staged : durable
      for (let i = at; i < at + WORD; i++) durable[i] = from[i]
    }
    this.load()
  }

  /** The bytes are lost; whoever asks is told. */
  poison(offset: number, length: number): void {
    const first = Math.floor(offset / POISON_UNIT)
    const end = Math.ceil((offset + length) / POISON_UNIT)
    this.#poison.fill(1, first, end)
    this.visible.fill(RUBBISH, first * POISON_UNIT, end * POISON_UNIT)
    this.#staged.fill(RUBBISH, first * POISON_UNIT, end * POISON_UNIT)
    this.durable.fill(RUBBISH, first * POISON_UNIT, end * POISON_UNIT)
  }

  clearPoison(offset: number, length: number): void {
    this.#poison.fill(0, Math.floor(offset / POISON_UNIT), Math.ceil((offset + length) / POISON_UNIT))
  }

  /** First poisoned byte in a run, or -1. */
  poisonedFrom(offset: number, end: number): number {
    const at = this.#poison.indexOf(1, Math.floor(offset / POISON_UNIT))
    if (at < 0 || at * POISON_UNIT >= end) return -1
    return Math.max(offset, at * POISON_UNIT)
  }
}

/** To the same place; short runs without the view that the general copy would make. */
function copyRun(source: Uint8Array, target: Uint8Array, offset: number, length: number): void {
  if (length < 256) for (let at = offset; at < offset + length; at++) target[at] = source[at]
  else copyBytes(source, offset, length, target, offset)
}

function equal(a: Uint8Array, b: Uint8Array, at: number): boolean {
  for (let i = at; i < at + WORD; i++) if (a[i] !== b[i]) return false
  return true
}
