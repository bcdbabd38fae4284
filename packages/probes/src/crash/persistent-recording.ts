import type { Piece } from './piece.ts'
import { type Mutation, type Order, PieceList, type Recording } from './recording.ts'

/** What survives whole or not at all. */
export const WORD = 8

/** A word's versions that are not sure, oldest first. */
type Versions = Piece[]

/**
 * Stores, flushes and drains of persistent memory. Stores are found by comparing the memory with what it was at the event before; of
 * several to one word between two events only the last is seen. Each changed word is a piece of its own: it may be there as soon as it
 * may have been stored, and is surely there when it was flushed and then drained.
 */
export class PersistentRecording implements Recording {
  readonly name: string
  readonly base: Uint8Array
  readonly boundaries: number[] = [0]
  readonly promises: Record<Order, number> = { flush: 0, fua: 0, drain: 0 }
  readonly #granularity: number
  readonly #mutation: Mutation | undefined
  readonly #list = new PieceList()
  /** The memory as of the last event. */
  readonly #seen: Uint8Array
  readonly #seenWords: Int32Array
  readonly #open = new Map<number, Versions>()
  /** Newest versions that were flushed and not drained. */
  #flushed = new Set<Piece>()
  #position = 0

  constructor(name: string, base: Uint8Array, granularity: number, mutation: Mutation | undefined) {
    this.name = name
    this.base = base
    this.#granularity = granularity
    this.#mutation = mutation
    this.#seen = base.slice()
    this.#seenWords = new Int32Array(this.#seen.buffer)
  }

  get position(): number {
    return this.#position
  }

  get pieces(): readonly Piece[] {
    return this.#list.all
  }

  /**
   * Looks for stores.
   * @param byteOffset of the first byte of `memory` in the device, a multiple of 8 as its length is
   */
  observe(memory: Uint8Array, byteOffset: number): void {
    const words = new Int32Array(memory.buffer, memory.byteOffset, memory.byteLength >> 2)
    const seen = this.#seenWords
    const first = byteOffset >> 2
    let write = 0
    for (let i = 0; i < words.length; i += 2) {
      if (words[i] === seen[first + i] && words[i + 1] === seen[first + i + 1]) continue
      if (write === 0) write = this.#list.begin()
      this.#store(byteOffset + i * 4, memory, i * 4, write)
      seen[first + i] = words[i]
      seen[first + i + 1] = words[i + 1]
    }
  }

  /** A flush of bytes of the device; whole lines, as the memory does it. */
  flush(offset: number, length: number): void {
    const line = Math.max(WORD, this.#granularity)
    const first = Math.floor(offset / line) * line
    const end = Math.ceil((offset + length) / line) * line
    for (let at = first; at < end; at += WORD) {
      const newest = this.#open.get(at)?.at(-1)
      if (newest !== undefined) this.#flushed.add(newest)
    }
  }

  /** Whether the flush that begins now does anything. */
  beginFlush(): boolean {
    this.#event()
    return !this.#drops('flush')
  }

  drain(): void {
    this.#event()
    if (this.#drops('drain')) return
    for (const piece of this.#flushed) this.#settle(piece)
    this.#flushed = new Set()
  }

  #store(offset: number, memory: Uint8Array, at: number, write: number): void {
    const piece: Piece = {
      offset,
      length: WORD,
      data: memory.slice(at, at + WORD),
      start: 0,
      born: this.#position,
      write,
      ended: this.#position,
      sure: Number.POSITIVE_INFINITY,
      contended: false,
    }
    this.#list.add(piece)
    const versions = this.#open.get(offset)
    if (versions === undefined) this.#open.set(offset, [piece])
    else versions.push(piece)
  }

  /** A version is durable, and with it every older one is past. */
  #settle(piece: Piece): void {
    const versions = this.#open.get(piece.offset)
    const place = versions?.indexOf(piece) ?? -1
    if (versions === undefined || place < 0) return
    for (const older of versions.splice(0, place + 1)) older.sure = this.#position
    if (versions.length === 0) this.#open.delete(piece.offset)
  }

  #event(): void {
    this.boundaries.push(++this.#position)
  }

  #drops(promise: Order): boolean {
    const nth = ++this.promises[promise]
    return this.#mutation?.drop === promise && this.#mutation.nth === nth
  }
}
