import { concurrent, overlap, type Piece } from './piece.ts'

/** What was done to a device, event by event. */
export interface Recording {
  readonly name: string
  /** Events so far. An oracle notes it with each acknowledgement that it gets. */
  readonly position: number
  /** What the device held when the recording began. */
  readonly base: Uint8Array
  /** In the order in which they began. */
  readonly pieces: readonly Piece[]
  /** Positions after which something may be different from before, in ascending order; the first is 0. */
  readonly boundaries: readonly number[]
  /** How many of each the workload asked for: what a mutation can drop. */
  readonly promises: Readonly<Record<Order, number>>
}

/** A kind of order that a device promises, and a mutation breaks. */
export type Order = 'flush' | 'fua' | 'drain'

/** The recorded device acknowledges the nth (from 1) flush, forced write or drain, and does nothing for it. */
export interface Mutation {
  readonly drop: Order
  readonly nth: number
}

/** Appends pieces and keeps account of which ones compete. */
export class PieceList {
  readonly all: Piece[] = []
  /** Pieces that have not ended. */
  #open: Piece[] = []
  #writes = 0

  /** A new write; its pieces are the next ones added. */
  begin(): number {
    return ++this.#writes
  }

  add(piece: Piece): void {
    for (const other of this.#open) {
      if (other.write !== piece.write && concurrent(piece, other) && overlap(piece, other)) {
        piece.contended = true
        other.contended = true
      }
    }
    this.all.push(piece)
    if (piece.ended === Number.POSITIVE_INFINITY) this.#open.push(piece)
  }

  end(pieces: readonly Piece[], position: number): void {
    for (const piece of pieces) piece.ended = position
    this.#open = this.#open.filter((piece) => piece.ended === Number.POSITIVE_INFINITY)
  }
}
