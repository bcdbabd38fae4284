/** The Toeplitz hash as its definition has it, bit by bit: for each set bit of the input, the key's next 32 bits. */
export function slowToeplitz(key: Uint8Array, input: Uint8Array): number {
  const bits = (bytes: Uint8Array) => [...bytes].flatMap((byte) => [...byte.toString(2).padStart(8, '0')].map(Number))
  const keyBits = bits(key)
  let hash = 0
  bits(input).forEach((bit, i) => {
    if (bit) hash ^= Number.parseInt(keyBits.slice(i, i + 32).join(''), 2)
  })
  return hash >>> 0
}
