/** Sets of clusters as words of 32 bits, lowest bit first: what the bitmap blocks have as bytes. */
export function bitWords(count: number): Int32Array {
  return new Int32Array((count + 31) >>> 5)
}

export function hasBit(words: Int32Array, i: number): boolean {
  return (words[i >>> 5] & (1 << (i & 31))) !== 0
}

export function setBits(words: Int32Array, from: number, length: number): void {
  const end = from + length
  let i = from
  while (i < end) {
    if ((i & 31) === 0 && end - i >= 32) {
      words[i >>> 5] = -1
      i += 32
    } else {
      words[i >>> 5] |= 1 << (i & 31)
      i++
    }
  }
}

export function clearBits(words: Int32Array, from: number, length: number): void {
  const end = from + length
  let i = from
  while (i < end) {
    if ((i & 31) === 0 && end - i >= 32) {
      words[i >>> 5] = 0
      i += 32
    } else {
      words[i >>> 5] &= ~(1 << (i & 31))
      i++
    }
  }
}

export function countBits(words: Int32Array): number {
  let sum = 0
  for (let i = 0; i < words.length; i++) sum += population(words[i])
  return sum
}

export function population(word: number): number {
  let w = word - ((word >>> 1) & 0x5555_5555)
  w = (w & 0x3333_3333) + ((w >>> 2) & 0x3333_3333)
  return Math.imul((w + (w >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}

/** First index at or after `from` whose bit is `value`, at most `end`. */
export function nextBit(words: Int32Array, from: number, end: number, value: boolean): number {
  const skip = value ? 0 : -1
  let i = from
  while (i < end) {
    if ((i & 31) === 0 && words[i >>> 5] === skip) {
      i += 32
      continue
    }
    if (hasBit(words, i) === value) return i
    i++
  }
  return end
}
