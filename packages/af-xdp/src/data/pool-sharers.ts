import type { FramePool } from '@parakernel/hal'

/** How many queues of this thread draw on one pool. */
export interface PoolSharers {
  count: number
}

const sharers = new WeakMap<FramePool, PoolSharers>()

/** The same object for every queue over `pool`. */
export function sharersOf(pool: FramePool): PoolSharers {
  let found = sharers.get(pool)
  if (found === undefined) {
    found = { count: 0 }
    sharers.set(pool, found)
  }
  return found
}
