/** A write as the naive model sees it; positions are those of the recording. */
export interface NaiveWrite {
  readonly lba: number
  readonly blocks: number
  readonly fill: number
  readonly fua: boolean
  readonly submitted: number
  completed: number
}

export interface NaiveFlush {
  readonly submitted: number
  completed: number
}

interface Unit {
  readonly write: NaiveWrite
  readonly lba: number
  readonly blocks: number
}

/**
 * Every image that a power cut at `position` may leave, by trying all orders of all parts of all writes and all subsets of them. For a
 * handful of writes only.
 */
export function naiveImages(
  size: number,
  writes: readonly NaiveWrite[],
  flushes: readonly NaiveFlush[],
  position: number,
  { atomicUnit, volatileCache }: { readonly atomicUnit: number; readonly volatileCache: boolean },
): Set<string> {
  const born = writes.filter((write) => write.submitted <= position)
  const isSure = (write: NaiveWrite) => {
    if (write.completed > position) return false
    if (write.fua || !volatileCache) return true
    return flushes.some((flush) => flush.submitted > write.completed && flush.completed <= position)
  }
  const units: Unit[] = born.flatMap((write) => {
    if (write.blocks <= atomicUnit) return [{ write, lba: write.lba, blocks: write.blocks }]
    return Array.from({ length: write.blocks }, (_, i) => ({ write, lba: write.lba + i, blocks: 1 }))
  })
  const images = new Set<string>()
  for (const order of orders(units)) {
    for (let mask = 0; mask < 2 ** order.length; mask++) {
      if (order.some((unit, i) => isSure(unit.write) && (mask & (1 << i)) === 0)) continue
      const image = new Array<number>(size).fill(0)
      for (const [i, unit] of order.entries()) {
        if ((mask & (1 << i)) !== 0) image.fill(unit.write.fill, unit.lba, unit.lba + unit.blocks)
      }
      images.add(image.join(' '))
    }
  }
  return images
}

/** All orders in which none comes before one that had ended when it began. */
function* orders(units: readonly Unit[]): Generator<Unit[]> {
  if (units.length === 0) yield []
  for (const [i, unit] of units.entries()) {
    if (units.some((other) => other.write !== unit.write && other.write.completed < unit.write.submitted)) continue
    for (const rest of orders(units.filter((_, j) => j !== i))) yield [unit, ...rest]
  }
}
