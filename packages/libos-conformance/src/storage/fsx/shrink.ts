/** Tries a list again at most so often, and with at most so many entries in all. */
const ATTEMPTS = 400
const ENTRIES = 3_000_000

/**
 * A short list that still fails: pieces are left out, ever smaller ones, as long as what is left fails (delta debugging). Of a list so
 * long that trying it again takes long, not the shortest.
 */
export async function shrink<T>(
  list: readonly T[],
  fails: (list: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  let shortest = list
  let attempts = 0
  let entries = 0
  const mayTry = () => attempts < ATTEMPTS && entries < ENTRIES
  for (let size = Math.ceil(shortest.length / 2); size >= 1 && mayTry(); ) {
    let isShorter = false
    for (let at = 0; at < shortest.length && mayTry(); ) {
      const candidate = [...shortest.slice(0, at), ...shortest.slice(at + size)]
      attempts++
      entries += candidate.length
      if (candidate.length > 0 && (await fails(candidate))) {
        shortest = candidate
        isShorter = true
      } else at += size
    }
    if (size === 1 && !isShorter) break
    size = size === 1 ? 1 : Math.ceil(size / 2)
  }
  return shortest
}
