/** The key of Microsoft's RSS verification suite, which most NICs and drivers start with. */
export const DEFAULT_RSS_KEY = Uint8Array.from(
  ('6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b4' + '77cb2da38030f20c6a42b73bbeac01fa').match(/../g)!,
  (byte) => Number.parseInt(byte, 16),
)
export const RSS_KEY_BYTES = 40
/** Addresses and ports of IPv6: the longest input. */
export const TOEPLITZ_INPUT = 36
export const TOEPLITZ_TABLE_WORDS = TOEPLITZ_INPUT * 256

/**
 * Writes the tables that turn the Toeplitz hash into one look-up a byte: for each position of the input and each value of
 * the byte there, the exclusive or of the 32-bit windows of the key that its set bits select.
 */
export function writeToeplitzTables(key: Uint8Array, words: Int32Array, base: number): void {
  for (let position = 0; position < TOEPLITZ_INPUT; position++) {
    for (let value = 0; value < 256; value++) {
      let hash = 0
      for (let bit = 0; bit < 8; bit++) if (value & (0x80 >> bit)) hash ^= keyWindow(key, position * 8 + bit)
      words[base + position * 256 + value] = hash
    }
  }
}

/** The 32 bits of the key that start at bit `start`. */
function keyWindow(key: Uint8Array, start: number): number {
  let window = 0
  for (let bit = start; bit < start + 32; bit++) window = (window << 1) | ((key[bit >> 3] >> (7 - (bit & 7))) & 1)
  return window
}

/** Hashes `length` bytes at `at`, a multiple of 4, as the input's bytes `position` and on; combine parts by exclusive or. */
export function toeplitz(
  tables: Int32Array,
  base: number,
  view: DataView,
  at: number,
  length: number,
  position: number,
): number {
  let hash = 0
  let table = base + position * 256
  for (let i = at; i < at + length; i += 4) {
    const word = view.getInt32(i, true)
    hash ^= tables[table + (word & 0xff)] ^ tables[table + 256 + ((word >>> 8) & 0xff)]
    hash ^= tables[table + 512 + ((word >>> 16) & 0xff)] ^ tables[table + 768 + (word >>> 24)]
    table += 1024
  }
  return hash
}
