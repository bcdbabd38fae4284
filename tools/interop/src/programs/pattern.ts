import { createHash } from 'node:crypto'

/** A prime, so that a piece that is lost or repeated shifts the pattern whatever its size. */
const PERIOD = 65_521

/** The bytes that every program here sends and expects: those of the pattern from its beginning. */
export const PATTERN = Uint8Array.from({ length: PERIOD }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24)

/** `length` bytes of the pattern in pieces, without a copy. */
export function* patternPieces(length: number): Generator<Uint8Array> {
  for (let at = 0; at < length; at += PERIOD) yield PATTERN.subarray(0, Math.min(PERIOD, length - at))
}

export function patternHash(length: number): string {
  const hash = createHash('sha256')
  for (const piece of patternPieces(length)) hash.update(piece)
  return hash.digest('hex')
}
