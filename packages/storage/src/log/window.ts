import { createRegionMemory, ParakernelError, type PersistentRegion } from '@parakernel/hal'
import { type MemoryChecksum, memoryChecksum } from '../format/crc32c.ts'
import { readInto } from '../medium/awaitable.ts'
import type { Medium } from '../medium/medium.ts'
import type { LogGeometry } from './geometry.ts'
import { RECORD_HEADER } from './record.ts'

/** A stretch of the ring as contiguous memory. */
export interface RecordWindow {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly checksum: MemoryChecksum
  /** Whether `length` bytes from a position are here. */
  has(position: number, length: number): boolean
  /** Brings them here, and up to `ahead` bytes behind them. False when they cannot be read. @throws for a device that failed as a whole */
  load(position: number, length: number, ahead: number): Promise<boolean>
  /** Index in `bytes` of a position that is here. */
  address(position: number): number
  /** Whether a part of it could not be read, and is zero here. */
  unreadable(position: number, length: number): boolean
  release(): void
}

export function openWindow(medium: Medium, geometry: LogGeometry): RecordWindow {
  const { persistent } = medium
  if (persistent !== undefined) return new PersistentWindow(persistent.region, persistent.position, geometry)
  return new BlockWindow(medium, geometry)
}

interface Scratch {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly checksum: MemoryChecksum
}

/** Scratch memories that no window uses, for the next: making one takes longer than reading a short log. */
const idle: Scratch[] = []
const KEPT = 4

function takeScratch(byteLength: number): Scratch {
  const i = idle.findIndex(({ bytes }) => bytes.length >= byteLength)
  if (i >= 0) return idle.splice(i, 1)[0]
  const memory = createRegionMemory(byteLength)
  return {
    bytes: new Uint8Array(memory.buffer),
    view: new DataView(memory.buffer),
    checksum: memoryChecksum(memory),
  }
}

/** Reads blocks into memory of its own. */
class BlockWindow implements RecordWindow {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly checksum: MemoryChecksum
  readonly #scratch: Scratch
  readonly #medium: Medium
  readonly #geometry: LogGeometry
  #start = 0
  #end = 0
  /** Positions of blocks that could not be read. */
  readonly #bad = new Set<number>()

  constructor(medium: Medium, geometry: LogGeometry) {
    const longest = RECORD_HEADER + 8 + geometry.recordLimit + 2 * geometry.unit
    this.#scratch = takeScratch(Math.max(2 * longest, 65_536))
    this.bytes = this.#scratch.bytes
    this.view = this.#scratch.view
    this.checksum = this.#scratch.checksum
    this.#medium = medium
    this.#geometry = geometry
  }

  has(position: number, length: number): boolean {
    return position >= this.#start && position + length <= this.#end
  }

  address(position: number): number {
    return position - this.#start
  }

  async load(position: number, length: number, ahead: number): Promise<boolean> {
    const { unit, start, length: ring } = this.#geometry
    const from = position - (position % unit)
    const least = Math.ceil((position + length - from) / unit) * unit
    const most = Math.min(this.bytes.length - (this.bytes.length % unit), ring)
    if (least > most) return false
    const size = Math.min(most, Math.max(least, Math.ceil((position + length + ahead - from) / unit) * unit))
    this.#start = 0
    this.#end = 0
    const physical = from % ring
    const before = Math.min(size, ring - physical)
    await this.#read(start + physical, this.bytes.subarray(0, before), from)
    if (before < size) await this.#read(start, this.bytes.subarray(before, size), from + before)
    this.#start = from
    this.#end = from + size
    return true
  }

  async #read(at: number, bytes: Uint8Array, position: number): Promise<void> {
    try {
      await readInto(this.#medium, at, bytes)
    } catch (error) {
      if (!(error instanceof ParakernelError) || error.code !== 'EIO') throw error
      await this.#readSingly(at, bytes, position)
    }
  }

  /** Block by block, so that one that cannot be read costs no other. */
  async #readSingly(at: number, bytes: Uint8Array, position: number): Promise<void> {
    const { unit } = this.#geometry
    for (let i = 0; i < bytes.length; i += unit) {
      const block = bytes.subarray(i, i + unit)
      try {
        await readInto(this.#medium, at + i, block)
      } catch (error) {
        if (!(error instanceof ParakernelError) || error.code !== 'EIO') throw error
        block.fill(0)
        this.#bad.add(position + i)
      }
    }
  }

  unreadable(position: number, length: number): boolean {
    if (this.#bad.size === 0) return false
    const { unit } = this.#geometry
    for (let at = position - (position % unit); at < position + length; at += unit) if (this.#bad.has(at)) return true
    return false
  }

  release(): void {
    this.#end = 0
    if (idle.length < KEPT) idle.push(this.#scratch)
  }
}

/** Persistent memory in place. Records do not cross the ring's end, so every one of them is contiguous. */
class PersistentWindow implements RecordWindow {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly checksum: MemoryChecksum
  readonly #region: PersistentRegion
  /** Of the ring, in the region. */
  readonly #offset: number
  readonly #base: number
  readonly #length: number

  constructor(region: PersistentRegion, position: number, geometry: LogGeometry) {
    this.bytes = new Uint8Array(region.region.buffer)
    this.view = new DataView(region.region.buffer)
    this.checksum = memoryChecksum(region.region.memory)
    this.#region = region
    this.#offset = position + geometry.start
    this.#base = region.byteOffset + this.#offset
    this.#length = geometry.length
  }

  has(position: number, length: number): boolean {
    return (position % this.#length) + length <= this.#length && !this.unreadable(position, length)
  }

  async load(position: number, length: number): Promise<boolean> {
    return this.has(position, length)
  }

  address(position: number): number {
    return this.#base + (position % this.#length)
  }

  unreadable(position: number, length: number): boolean {
    const from = this.#offset + (position % this.#length)
    const poisoned = this.#region.poisonedFrom(from)
    return poisoned >= 0 && poisoned < from + length
  }

  release(): void {}
}
