import {
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type BlockCapabilities,
} from '@parakernel/hal'
import type { Piece } from './piece.ts'
import { type Mutation, type Order, PieceList, type Recording } from './recording.ts'

/** A command between its submission and its completion. */
export interface RecordedCommand {
  readonly opcode: number
  readonly fua: boolean
  readonly pieces: readonly Piece[]
  /** Of a flush: position of its submission. */
  readonly submitted: number
  readonly dropped: boolean
}

const CHANGES = (1 << BLOCK_WRITE) | (1 << BLOCK_WRITE_ZEROES) | (1 << BLOCK_DEALLOCATE)

/**
 * Commands of a block device, and what they promise. A write is surely there when it was FUA and completed, or completed before a flush
 * was submitted that has completed, or completed on a device without a volatile cache. A write that failed never is.
 */
export class BlockRecording implements Recording {
  readonly name: string
  readonly base: Uint8Array
  readonly boundaries: number[] = [0]
  readonly promises: Record<Order, number> = { flush: 0, fua: 0, drain: 0 }
  readonly #capabilities: BlockCapabilities
  readonly #mutation: Mutation | undefined
  readonly #list = new PieceList()
  /** Completed writes that the next flush covers, with the position of their completion. */
  #unflushed: { readonly pieces: readonly Piece[]; readonly completed: number }[] = []
  #position = 0

  constructor(name: string, base: Uint8Array, capabilities: BlockCapabilities, mutation: Mutation | undefined) {
    this.name = name
    this.base = base
    this.#capabilities = capabilities
    this.#mutation = mutation
  }

  get position(): number {
    return this.#position
  }

  get pieces(): readonly Piece[] {
    return this.#list.all
  }

  /**
   * A command was accepted.
   * @param namespaceStart first byte of its namespace in the image
   * @param data what a write writes, kept by the recording
   */
  submitted(
    opcode: number,
    namespaceStart: number,
    lba: number,
    blocks: number,
    flags: number,
    data: Uint8Array | undefined,
  ): RecordedCommand {
    const changes = (CHANGES & (1 << opcode)) !== 0
    const forced = changes && opcode !== BLOCK_DEALLOCATE && (flags & BLOCK_FUA) !== 0
    const promise = opcode === BLOCK_FLUSH ? 'flush' : forced ? 'fua' : undefined
    const dropped = promise !== undefined && this.#drops(promise)
    const at = this.#event(changes)
    const pieces = changes ? this.#cut(opcode, namespaceStart, lba, blocks, data) : []
    return { opcode, fua: forced && !dropped, pieces, submitted: at, dropped }
  }

  completed({ opcode, fua, pieces, submitted, dropped }: RecordedCommand, status: number): void {
    const at = this.#event(true)
    if (pieces.length > 0) {
      this.#list.end(pieces, at)
      if (status !== 0) return
      if (fua || !this.#capabilities.volatileCache) for (const piece of pieces) piece.sure = at
      else this.#unflushed.push({ pieces, completed: at })
    } else if (opcode === BLOCK_FLUSH && status === 0 && !dropped) {
      this.#unflushed = this.#unflushed.filter((write) => {
        if (write.completed >= submitted) return true
        for (const piece of write.pieces) piece.sure = at
        return false
      })
    }
  }

  #event(matters: boolean): number {
    const at = ++this.#position
    if (matters) this.boundaries.push(at)
    return at
  }

  #drops(promise: Order): boolean {
    const nth = ++this.promises[promise]
    return this.#mutation?.drop === promise && this.#mutation.nth === nth
  }

  /** Whole where the device promises it, else block by block. */
  #cut(opcode: number, start: number, lba: number, blocks: number, data: Uint8Array | undefined): Piece[] {
    const { blockSize, atomicUnit, atomicBoundary } = this.#capabilities
    const crosses =
      atomicBoundary > 0 && Math.floor(lba / atomicBoundary) !== Math.floor((lba + blocks - 1) / atomicBoundary)
    const whole = opcode !== BLOCK_DEALLOCATE && blocks <= atomicUnit && !crosses
    const step = whole ? blocks : 1
    const write = this.#list.begin()
    const pieces: Piece[] = []
    for (let block = 0; block < blocks; block += step) {
      const piece: Piece = {
        offset: start + (lba + block) * blockSize,
        length: step * blockSize,
        data,
        start: block * blockSize,
        born: this.#position,
        write,
        ended: Number.POSITIVE_INFINITY,
        sure: Number.POSITIVE_INFINITY,
        contended: false,
      }
      this.#list.add(piece)
      pieces.push(piece)
    }
    return pieces
  }
}
