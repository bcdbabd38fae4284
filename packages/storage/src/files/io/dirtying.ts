import { ENOBUFS, ENOSPC } from '../../medium/errno.ts'
import { EFBIG } from '../errno.ts'
import type { IoContext } from './context.ts'
import type { FileNode } from './file-node.ts'
import type { Task } from './task.ts'

/** What a change of clusters has to wait for. */
export const NOTHING = 0
export const COMMIT = 1
export const WRITE_BACK = 2

/**
 * Whether all of `targets` can be made dirty now, in one step: there is room for them on the media and in the cache, and the journal can
 * take what follows. `NOTHING`, what to wait for, or a negative errno.
 */
export function obstacle(io: IoContext, node: FileNode, targets: readonly number[], reserve: number): number {
  const { cache, core, writeBack } = io
  const { space } = core
  let fresh = 0
  let buffers = 0
  let pinned = 0
  for (const logical of targets) {
    const entry = node.cached.get(logical)
    if (entry === undefined) {
      fresh++
      buffers++
    } else {
      if (!entry.dirty) fresh++
      if (entry.writing) buffers++
      else if (!entry.dirty) pinned++
    }
  }
  if (node.inode.map.crowded) return -EFBIG
  if (io.committer.full) return COMMIT
  if (fresh > 0 && space.available + reserve < fresh * promise(io)) {
    if (space.pendingClusters > 0 || cache.dirty.size > 0) return COMMIT
    return -ENOSPC
  }
  if (targets.length > cache.dirtyLimit) return -ENOBUFS
  if (cache.dirty.size + fresh > cache.dirtyLimit) return WRITE_BACK
  if (cache.obtainable - pinned < buffers) {
    return cache.dirty.size > 0 || writeBack.underWay > 0 ? WRITE_BACK : -ENOBUFS
  }
  return NOTHING
}

/** Clusters that a dirty one may take at most: its own, and, where snapshots hold the metadata, two for what says where it is. */
export function promise(io: IoContext): number {
  return io.core.space.hasSnapshots ? 3 : 1
}

/** Waits until what `obstacle` said may be over. */
export function* overcome(io: IoContext, reason: number): Task<void> {
  if (reason === COMMIT) {
    yield (resume) => io.committer.request(resume)
    return
  }
  io.writeBack.begin()
  yield io.progress.wait
}
