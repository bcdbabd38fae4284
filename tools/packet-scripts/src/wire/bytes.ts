/** The internet checksum (RFC 1071), 16 bits at a time: this side must not share a mistake with the stack that it tests. */
export function checksum(...parts: readonly Uint8Array[]): number {
  let sum = 0
  for (const bytes of parts) {
    for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | (bytes[i + 1] ?? 0)
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000)
  return ~sum & 0xffff
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/**
 * What every stream and datagram of a script carries: the byte at relative sequence number `n` (the first of a stream is
 * 1, of a datagram 0). Neither repeats every 256 bytes nor every segment, so that a byte in the wrong place is seen.
 */
export function patternByte(n: number): number {
  return (n * 7 + (n >> 8) * 13 + (n >> 16) * 29) & 255
}

export function pattern(start: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => patternByte(start + i))
}

/** The first place where `bytes` are not the pattern from `start` on, or -1. */
export function patternBreak(bytes: Uint8Array, start: number): number {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== patternByte(start + i)) return i
  return -1
}
