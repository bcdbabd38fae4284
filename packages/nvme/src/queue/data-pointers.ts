import type { BlockBurst, FramePool } from '@parakernel/hal'
import type { NvmeQueueGrant } from './grant.ts'

/** Bits 15:14 of dword 0: the data pointer is an SGL, metadata a plain buffer. */
export const PSDT_SGL = 1 << 14
/** Byte 15 of an SGL descriptor: type in the upper half (base specification 2.0, section 4.1.2). */
const SGL_LAST_SEGMENT = 0x30 << 24
const TWO_32 = 0x1_0000_0000
/** Of one dataset management command. */
const MOST_RANGES = 256

/**
 * Writes the data pointer of a command, dwords 6 to 9, and what it points to: entries of PRP lists (section 4.1.1), or SGL descriptors
 * where segments do not keep to PRP's rule and the controller takes them. Each slot has a list of its own.
 */
export class DataPointers {
  readonly #pool: FramePool
  readonly #frameBus: number
  readonly #page: number
  readonly #sgl: boolean
  readonly #words: Int32Array
  readonly #firstWord: number
  readonly #listBus: number
  readonly #listBytes: number
  /** Where in `#words` the next list entry goes, and how many are there. */
  #at = 0
  #entries = 0
  #list = 0
  #slot = 0

  constructor({ transport }: NvmeQueueGrant, pool: FramePool) {
    this.#pool = pool
    this.#frameBus = transport.frameBus
    this.#page = transport.pageSize
    this.#sgl = transport.sgl
    this.#words = new Int32Array(transport.region.buffer)
    this.#firstWord = transport.lists >>> 2
    this.#listBus = transport.listBus
    this.#listBytes = transport.listBytes
  }

  /** Points `words[at]` and the three after it to the segments of command `i`; returns the bits for dword 0. */
  write(burst: BlockBurst, i: number, slot: number, words: Int32Array, at: number): number {
    const pool = this.#pool
    const page = this.#page
    const first = burst.firstSegment[i]
    const end = first + burst.segmentCount[i]
    this.#slot = slot
    this.#list = this.#firstWord + Math.imul(slot, this.#listBytes >>> 2)
    this.#at = this.#list
    this.#entries = 0
    let address = pool.address(burst.frame[first]) + burst.offset[first]
    let inPage = address & (page - 1)
    let left = burst.length[first]
    const bus = this.#frameBus + address
    words[at] = bus | 0
    words[at + 1] = (bus / TWO_32) | 0
    address += page - inPage
    left -= page - inPage
    for (let s = first; ; ) {
      while (left > 0) {
        this.#add(this.#frameBus + address)
        address += page
        left -= page
      }
      if (++s === end) break
      inPage = pool.address(burst.frame[s]) + burst.offset[s]
      // A gap: the last page of a segment must be used to its end, and the next must begin on a page.
      if (left !== 0 || (inPage & (page - 1)) !== 0) {
        if (this.#sgl) return this.#writeSgl(burst, first, end, words, at)
      }
      address = inPage
      left = burst.length[s]
    }
    this.#finish(words, at + 2)
    return 0
  }

  /**
   * Ranges of a deallocation (NVM command set specification 1.0, section 3.2.3) in the slot's list, and the pointer to them. Returns how
   * many there are. Blocks beyond what the list can name stay as they are: a deallocation is advice.
   */
  writeRanges(burst: BlockBurst, i: number, maxRange: number, slot: number, words: Int32Array, at: number): number {
    const list = this.#firstWord + Math.imul(slot, this.#listBytes >>> 2)
    const most = Math.min(MOST_RANGES, this.#listBytes >>> 4)
    const blocks = burst.blocks[i]
    let count = 0
    for (let done = 0; done < blocks && count < most; count++) {
      const length = Math.min(maxRange, blocks - done)
      const start = burst.lba[i] + done
      const entry = list + 4 * count
      this.#words[entry] = 0
      this.#words[entry + 1] = length
      this.#words[entry + 2] = start | 0
      this.#words[entry + 3] = (start / TWO_32) | 0
      done += length
    }
    const bus = this.#listBus + slot * this.#listBytes
    words[at] = bus | 0
    words[at + 1] = (bus / TWO_32) | 0
    words[at + 2] = 0
    words[at + 3] = 0
    return count
  }

  #add(bus: number): void {
    const words = this.#words
    // Entries before the last of a page, whose place a pointer to the next page takes when more follow.
    const perPage = this.#page >>> 3
    if (this.#entries > 0 && ((this.#at - this.#list) >>> 1) % perPage === perPage - 1) {
      const next = this.#listBus + this.#slot * this.#listBytes + (this.#at + 2 - this.#list) * 4
      words[this.#at] = next | 0
      words[this.#at + 1] = (next / TWO_32) | 0
      this.#at += 2
    }
    words[this.#at] = bus | 0
    words[this.#at + 1] = (bus / TWO_32) | 0
    this.#at += 2
    this.#entries++
  }

  /** The second pointer: nothing, the second page, or the list. */
  #finish(words: Int32Array, at: number): void {
    if (this.#entries === 0) {
      words[at] = 0
      words[at + 1] = 0
    } else if (this.#entries === 1) {
      words[at] = this.#words[this.#list]
      words[at + 1] = this.#words[this.#list + 1]
    } else {
      // A page of the list that holds but one entry is not needed: the entry goes where the pointer to it stands.
      const used = this.#at - this.#list
      if (used > this.#page >>> 2 && used % (this.#page >>> 2) === 2) {
        this.#words[this.#at - 4] = this.#words[this.#at - 2]
        this.#words[this.#at - 3] = this.#words[this.#at - 1]
      }
      const bus = this.#listBus + this.#slot * this.#listBytes
      words[at] = bus | 0
      words[at + 1] = (bus / TWO_32) | 0
    }
  }

  /** One data block descriptor a segment, in a last segment. */
  #writeSgl(burst: BlockBurst, first: number, end: number, words: Int32Array, at: number): number {
    let entry = this.#list
    for (let s = first; s < end; s++) {
      const bus = this.#frameBus + this.#pool.address(burst.frame[s]) + burst.offset[s]
      this.#words[entry] = bus | 0
      this.#words[entry + 1] = (bus / TWO_32) | 0
      this.#words[entry + 2] = burst.length[s]
      this.#words[entry + 3] = 0
      entry += 4
    }
    const list = this.#listBus + this.#slot * this.#listBytes
    words[at] = list | 0
    words[at + 1] = (list / TWO_32) | 0
    words[at + 2] = (end - first) << 4
    words[at + 3] = SGL_LAST_SEGMENT
    return PSDT_SGL
  }
}
