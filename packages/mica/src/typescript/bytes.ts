import type { StoreMemory } from './store-memory.ts'

/*
 * Copies and compares between frames, of any alignment, and the store, whose keys and values start at multiples of 8
 * and are padded with zeros. Loops win for short runs, copyWithin (about 30 ns whatever the length) for long ones.
 */
const LOOP_LIMIT = 192

/** Copies `length` bytes into the store and pads with zeros to 8. `to` is a multiple of 8; no overlap. */
export function copyIn(s: StoreMemory, to: number, from: number, length: number): void {
  const rest = length & 7
  if (length <= LOOP_LIMIT && (from & 7) === 0) {
    const { wide } = s
    let source = from >> 3
    let target = to >> 3
    const end = source + (length >> 3)
    for (; source < end; source++, target++) wide[target] = wide[source]
    if (rest !== 0) copyTail(s, target << 3, source << 3, rest)
  } else if (length <= 32) {
    const { words, view } = s
    let source = from
    let target = to >> 2
    const end = from + (length & ~7)
    for (; source < end; source += 4, target++) words[target] = view.getInt32(source, true)
    if (rest !== 0) copyTail(s, target << 2, source, rest)
  } else {
    if (rest !== 0) {
      const last = (to + length) >> 3
      s.words[last << 1] = 0
      s.words[(last << 1) + 1] = 0
    }
    s.bytes.copyWithin(to, from, from + length)
  }
}

/** Copies the last 1..7 bytes of something into a padded 8-byte unit. */
function copyTail(s: StoreMemory, to: number, from: number, rest: number): void {
  const { words, bytes } = s
  words[to >> 2] = 0
  words[(to >> 2) + 1] = 0
  for (let i = 0; i < rest; i++) bytes[to + i] = bytes[from + i]
}

/** Copies a value out of the store, padding included: the length is rounded up to 8. `from` is a multiple of 8. */
export function copyOut(s: StoreMemory, to: number, from: number, length: number): void {
  const padded = (length + 7) & ~7
  if (padded <= LOOP_LIMIT && (to & 7) === 0) {
    const { wide } = s
    let source = from >> 3
    let target = to >> 3
    const end = source + (padded >> 3)
    for (; source < end; source++, target++) wide[target] = wide[source]
  } else if (padded <= 32) {
    const { words, view } = s
    let source = from >> 2
    let target = to
    const end = target + padded
    for (; target < end; source++, target += 4) view.setInt32(target, words[source], true)
  } else s.bytes.copyWithin(to, from, from + padded)
}

/** True if the key of `length` bytes at `address` equals the stored one at word `stored`. */
export function equalKeys(s: StoreMemory, stored: number, address: number, length: number): boolean {
  const { words, view, bytes } = s
  let difference = 0
  let word = stored
  let at = address
  const end = address + (length & ~3)
  for (; at < end; at += 4, word++) difference |= words[word] ^ view.getInt32(at, true)
  const rest = length & 3
  if (rest !== 0) {
    let last = bytes[at]
    if (rest > 1) last |= bytes[at + 1] << 8
    if (rest > 2) last |= bytes[at + 2] << 16
    difference |= words[word] ^ last
  }
  return difference === 0
}
