import type { Piece } from './piece.ts'

/** All masks over `count` choices; `count` is small. One array, changed in place. */
export function* everyMask(count: number): Generator<Uint8Array> {
  const mask = new Uint8Array(count)
  for (let bits = 0; bits < 2 ** count; bits++) {
    for (let i = 0; i < count; i++) mask[i] = (bits >>> i) & 1
    yield mask
  }
}

/**
 * Masks over more choices than can be tried one by one, endlessly: first nothing and everything (by chance, when only `few` are
 * wanted), then by chance the shapes in which bugs hide: a prefix, one missing, one alone, whole writes, a torn last write behind intact ones, and noise of several densities.
 */
export function* sampledMasks(optional: readonly Piece[], random: () => number, few: boolean): Generator<Uint8Array> {
  const count = optional.length
  const mask = new Uint8Array(count)
  if (!few || random() < 0.2) yield mask.fill(0)
  if (!few || random() < 0.2) yield mask.fill(1)
  const writes = new Map<number, number>()
  for (const { write } of optional) if (!writes.has(write)) writes.set(write, writes.size)
  const kept = new Uint8Array(writes.size)
  const pick = () => Math.floor(random() * count)
  for (;;) {
    const shape = random()
    if (shape < 0.15) mask.fill(1).fill(0, pick())
    else if (shape < 0.25) mask.fill(1)[pick()] = 0
    else if (shape < 0.35) mask.fill(0)[pick()] = 1
    else if (shape < 0.55) {
      for (let i = 0; i < kept.length; i++) kept[i] = random() < 0.5 ? 1 : 0
      for (let i = 0; i < count; i++) mask[i] = kept[writes.get(optional[i].write) as number]
    } else if (shape < 0.7) {
      const torn = optional[pick()].write
      for (let i = 0; i < count; i++) {
        const { write } = optional[i]
        mask[i] = write < torn || (write === torn && random() < 0.5) ? 1 : 0
      }
    } else {
      const density = shape < 0.8 ? 0.1 : shape < 0.9 ? 0.5 : 0.9
      for (let i = 0; i < count; i++) mask[i] = random() < density ? 1 : 0
    }
    yield mask
  }
}

const DIGITS = '0123456789abcdef'

/** Four choices a digit, the first choice in the lowest bit of the first digit. */
export function maskToText(mask: Uint8Array): string {
  let text = ''
  for (let i = 0; i < mask.length; i += 4) {
    const digit = mask[i] | ((mask[i + 1] ?? 0) << 1) | ((mask[i + 2] ?? 0) << 2) | ((mask[i + 3] ?? 0) << 3)
    text += DIGITS[digit]
  }
  return text
}

/** Undefined for a text that is not one of `count` choices. */
export function maskFromText(text: string, count: number): Uint8Array | undefined {
  if (text.length !== Math.ceil(count / 4) || /[^0-9a-f]/.test(text)) return undefined
  const mask = new Uint8Array(count)
  for (let i = 0; i < count; i++) mask[i] = (Number.parseInt(text[i >> 2], 16) >> (i & 3)) & 1
  return mask
}
