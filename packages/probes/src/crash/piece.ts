/**
 * The smallest that a power cut keeps or loses whole: a block, an atomic write, or an 8-byte word of persistent memory. Positions
 * count events of the recording; a piece may be there in a state at `position` when `position >= born`.
 */
export interface Piece {
  /** Bytes from the start of the image. */
  readonly offset: number
  readonly length: number
  /** The bytes, from `start` on; undefined for zeroes. */
  readonly data: Uint8Array | undefined
  readonly start: number
  readonly born: number
  /** Number of the write that it belongs to; pieces of one have consecutive places. */
  readonly write: number
  /** From where on everything that begins later comes after it. */
  ended: number
  /** From where on it is there for sure. */
  sure: number
  /** Another piece overlaps it and was under way at the same time: their order is open. */
  contended: boolean
}

const SHORT = 64

export function applyPiece(image: Uint8Array, { offset, length, data, start }: Piece): void {
  if (data === undefined) image.fill(0, offset, offset + length)
  else if (length > SHORT) image.set(data.subarray(start, start + length), offset)
  else for (let i = 0; i < length; i++) image[offset + i] = data[start + i]
}

export function overlap(a: Piece, b: Piece): boolean {
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length
}

export function covers(upper: Piece, lower: Piece): boolean {
  return upper.offset <= lower.offset && lower.offset + lower.length <= upper.offset + upper.length
}

/** Neither had ended when the other began. */
export function concurrent(a: Piece, b: Piece): boolean {
  return a.born < b.ended && b.born < a.ended
}
