import { applyPiece, covers, overlap, type Piece } from './piece.ts'
import type { Recording } from './recording.ts'

/** Pieces whose order is tried both ways, each by itself. */
const MOST_CONTENDED = 5

/**
 * A place in a recording: what is surely there, and what may be. Moves forward only. What is settled is
 * folded into one image; the rest, the tail, is applied anew for each state, so that an image costs a copy and the tail.
 */
export class Cursor {
  position = -1
  /** Of the tail: those that may or may not be there. */
  optional: readonly Piece[] = []
  readonly #recording: Recording
  readonly #settled: Uint8Array
  #scratch: Uint8Array | undefined
  #born = 0
  #tail: Piece[] = []
  /** By place in the tail: place in `optional`, or -1 for what is there for sure. */
  #choice: Int32Array = new Int32Array(0)

  constructor(recording: Recording) {
    this.#recording = recording
    this.#settled = recording.base.slice()
  }

  moveTo(position: number): void {
    const { pieces } = this.#recording
    this.position = position
    while (this.#born < pieces.length && pieces[this.#born].born <= position) this.#tail.push(pieces[this.#born++])
    this.#fold()
    this.#choice = new Int32Array(this.#tail.length)
    let choices = 0
    for (const [i, piece] of this.#tail.entries()) this.#choice[i] = piece.sure <= position ? -1 : choices++
    this.optional = this.#tail.filter((piece) => piece.sure > position)
  }

  /**
   * Moves from the tail into the image what is there for sure and comes after nothing that is still open, and forgets what lies
   * under it.
   */
  #fold(): void {
    let open: Piece[] = []
    for (const piece of this.#tail) {
      const settled = piece.sure <= this.position && !piece.contended
      if (settled && open.length > 0) open = open.filter((one) => one.ended > piece.born || !covers(piece, one))
      if (settled && !open.some((one) => overlap(one, piece))) applyPiece(this.#settled, piece)
      else open.push(piece)
    }
    this.#tail = open
  }

  /** In how many orders the tail is tried: more than one where overlapping writes were under way together. */
  get orders(): number {
    let contended = 0
    for (const piece of this.#tail) if (piece.contended) contended++
    return contended < 2 ? 1 : 2 ** Math.min(MOST_CONTENDED, contended)
  }

  /**
   * What the device holds when of `optional` exactly those with a 1 in `mask` are there. Without `into` the result is a buffer of
   * the cursor's, good until the next call.
   */
  image(mask: Uint8Array, order: number, into?: Uint8Array): Uint8Array {
    let target = into
    if (target === undefined) {
      this.#scratch ??= new Uint8Array(this.#settled.length)
      target = this.#scratch
    }
    target.set(this.#settled)
    const places = order === 0 ? undefined : this.#arranged(order)
    for (let i = 0; i < this.#tail.length; i++) {
      const place = places === undefined ? i : places[i]
      const choice = this.#choice[place]
      if (choice < 0 || mask[choice] === 1) applyPiece(target, this.#tail[place])
    }
    return target
  }

  /**
   * Places of the tail by the moment at which each piece takes effect. A contended one does so at the beginning or at the end of
   * its time, by its bit in the number of the order, so that each of two may be the last; bits are used again beyond the first few.
   */
  #arranged(order: number): number[] {
    let contended = 0
    const moments = this.#tail.map((piece) => {
      if (!piece.contended) return piece.born
      const late = (order >>> (contended++ % MOST_CONTENDED)) & 1
      return late === 0 ? piece.born : Math.min(piece.ended, this.position + 1) - 0.5
    })
    return moments.map((_, i) => i).sort((a, b) => moments[a] - moments[b] || a - b)
  }
}
