import type { WasmMemory } from '@parakernel/hal'
import {
  COUNTERS_OFFSET,
  FREE_BITMAP_OFFSET,
  FREE_LISTS_OFFSET,
  H_BUCKET_MASK,
  H_CREW,
  H_DATA,
  H_DATA_UNITS,
  H_INDEX,
  H_MODE,
  H_POSITION_MASK,
  H_SPARE,
  H_SPARE_COUNT,
  H_TOUCH_LINES,
} from '../layout.ts'
import { COUNTERS } from '../statistics.ts'

/**
 * The views of one partition's memory and the constants of its header, made once. "Word" below means an index into
 * `words`: a byte address divided by four.
 */
export class StoreMemory {
  readonly words: Int32Array
  readonly wide: BigUint64Array
  readonly doubles: Float64Array
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly counters: Float64Array
  /** Word of the header. */
  readonly header: number
  /** Word of the first main bucket, of spare bucket 1, of the data area, of the free lists and of their bitmap. */
  readonly index: number
  readonly spare: number
  readonly data: number
  readonly freeLists: number
  readonly freeBitmap: number
  readonly spareCount: number
  readonly bucketMask: number
  readonly positionMask: number
  readonly dataUnits: number
  readonly touchLines: number
  readonly lossless: boolean
  readonly crew: boolean

  constructor(memory: WasmMemory, byteOffset: number) {
    const buffer = memory.buffer
    this.words = new Int32Array(buffer)
    this.wide = new BigUint64Array(buffer)
    this.doubles = new Float64Array(buffer)
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
    this.counters = new Float64Array(buffer, byteOffset + COUNTERS_OFFSET, COUNTERS)
    const header = byteOffset >> 2
    const constant = (word: number) => this.words[header + word]
    this.header = header
    this.index = constant(H_INDEX) >> 2
    this.spare = constant(H_SPARE) >> 2
    this.data = constant(H_DATA) >> 2
    this.freeLists = header + (FREE_LISTS_OFFSET >> 2)
    this.freeBitmap = header + (FREE_BITMAP_OFFSET >> 2)
    this.spareCount = constant(H_SPARE_COUNT)
    this.bucketMask = constant(H_BUCKET_MASK)
    this.positionMask = constant(H_POSITION_MASK)
    this.dataUnits = constant(H_DATA_UNITS)
    this.touchLines = constant(H_TOUCH_LINES)
    this.lossless = constant(H_MODE) === 1
    this.crew = constant(H_CREW) === 1
  }
}

/** Word of the item at a position. */
export function itemAt(s: StoreMemory, position: number): number {
  return s.data + ((position & s.positionMask) << 1)
}
