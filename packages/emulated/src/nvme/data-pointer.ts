import { type EmulatedBus, offsetIn } from './bus.ts'
import {
  DATA_TRANSFER_ERROR,
  INVALID_FIELD,
  INVALID_PRP_OFFSET,
  INVALID_SGL_COUNT,
  INVALID_SGL_LENGTH,
  INVALID_SGL_SEGMENT,
  INVALID_SGL_TYPE,
  SUCCESS,
} from './status.ts'

const PAGE = 4096
const DESCRIPTOR = 16
const MOST_DESCRIPTORS = 256

/** Where the data of a command lies: runs of bytes in memory that the bus reaches. */
export class Chunks {
  readonly bytes: Uint8Array[] = []
  readonly offsets: number[] = []
  readonly lengths: number[] = []
  count = 0
  /** Bytes that were asked for and are not there yet. */
  left = 0

  begin(length: number): void {
    this.count = 0
    this.left = length
  }

  /** At most what is left; a status other than 0 when the bus does not reach it. */
  add(bus: EmulatedBus, address: number, length: number): number {
    const taken = Math.min(length, this.left)
    const reach = bus.find(address, taken)
    if (reach === undefined) return DATA_TRANSFER_ERROR
    this.bytes[this.count] = reach.bytes
    this.offsets[this.count] = offsetIn(reach, address)
    this.lengths[this.count] = taken
    this.count++
    this.left -= taken
    return SUCCESS
  }
}

/** Two dwords as an address. */
export function address64(words: Int32Array, at: number): number {
  return (words[at] >>> 0) + (words[at + 1] >>> 0) * 0x1_0000_0000
}

/** Follows the data pointer of a command (dwords 6 to 9) for `length` bytes. Returns a status. */
export function follow(bus: EmulatedBus, words: Int32Array, length: number, sgl: boolean, chunks: Chunks): number {
  chunks.begin(length)
  const kind = (words[0] >>> 14) & 3
  if (kind === 0) return followPrp(bus, address64(words, 6), address64(words, 8), chunks)
  if (!sgl || kind === 3) return INVALID_FIELD
  return followSgl(bus, words, chunks)
}

/** Physical region pages: base specification 2.0, section 4.1.1. Only the first may begin within a page. */
function followPrp(bus: EmulatedBus, first: number, second: number, chunks: Chunks): number {
  if (first % 4 !== 0) return INVALID_PRP_OFFSET
  const status = chunks.add(bus, first, PAGE - (first % PAGE))
  if (status !== SUCCESS || chunks.left === 0) return status
  if (chunks.left <= PAGE) return addPage(bus, second, chunks)
  let at = second
  if (at % 8 !== 0) return INVALID_PRP_OFFSET
  while (chunks.left > 0) {
    const reach = bus.find(at, 8)
    if (reach === undefined) return DATA_TRANSFER_ERROR
    const entry = address64(reach.words, offsetIn(reach, at) >>> 2)
    // The last entry of a page of the list points to the next one, unless it describes the last of the data.
    if (at % PAGE === PAGE - 8 && chunks.left > PAGE) {
      if (entry % PAGE !== 0) return INVALID_PRP_OFFSET
      at = entry
      continue
    }
    const added = addPage(bus, entry, chunks)
    if (added !== SUCCESS) return added
    at += 8
  }
  return SUCCESS
}

function addPage(bus: EmulatedBus, address: number, chunks: Chunks): number {
  return address % PAGE === 0 ? chunks.add(bus, address, PAGE) : INVALID_PRP_OFFSET
}

/** Scatter-gather lists: section 4.1.2. Data blocks, segments and last segments. */
function followSgl(bus: EmulatedBus, words: Int32Array, chunks: Chunks): number {
  const type = words[9] >>> 28
  if (((words[9] >>> 24) & 0xf) !== 0) return INVALID_SGL_TYPE
  let address = address64(words, 6)
  let length = words[8] >>> 0
  if (type === 0) return addBlock(bus, address, length, chunks) || (chunks.left > 0 ? INVALID_SGL_LENGTH : SUCCESS)
  if (type !== 2 && type !== 3) return INVALID_SGL_TYPE
  for (let last = type === 3, descriptors = 0; ; ) {
    if (length === 0 || length % DESCRIPTOR !== 0) return INVALID_SGL_SEGMENT
    const reach = bus.find(address, length)
    if (reach === undefined) return DATA_TRANSFER_ERROR
    const count = length / DESCRIPTOR
    descriptors += count
    if (descriptors > MOST_DESCRIPTORS) return INVALID_SGL_COUNT
    let next = false
    for (let i = 0; i < count; i++) {
      const at = (offsetIn(reach, address) >>> 2) + i * 4
      const kind = reach.words[at + 3] >>> 28
      const run = reach.words[at + 2] >>> 0
      if (kind === 0) {
        const status = addBlock(bus, address64(reach.words, at), run, chunks)
        if (status !== SUCCESS) return status
      } else if ((kind === 2 || kind === 3) && !last && i === count - 1) {
        address = address64(reach.words, at)
        length = run
        last = kind === 3
        next = true
      } else return INVALID_SGL_TYPE
    }
    if (!next) break
  }
  return chunks.left > 0 ? INVALID_SGL_LENGTH : SUCCESS
}

function addBlock(bus: EmulatedBus, address: number, length: number, chunks: Chunks): number {
  if (length === 0) return SUCCESS
  // More than the command asks for is not an error here (SGLS bit 18), but none of it is touched.
  return chunks.left === 0 ? INVALID_SGL_LENGTH : chunks.add(bus, address, length)
}
