import type { CacheEntry } from '../cache/cluster-cache.ts'
import type { IoContext } from './context.ts'
import { NOTHING, obstacle, overcome, promise } from './dirtying.ts'
import type { FileNode } from './file-node.ts'
import type { FileOperation } from './operation.ts'
import { loadCluster } from './reader.ts'
import { toBuffer } from './segments.ts'
import type { Task } from './task.ts'

/** Writes in one step what memory has room for. False, and nothing done, when something has to be waited for. */
export function writeNow(io: IoContext, node: FileNode, operation: FileOperation): boolean {
  operation.status = io.refusal()
  if (operation.status !== 0) return true
  const { position, length } = operation
  if (length === 0) return true
  const { clusterSize } = io.core.geometry
  const last = Math.floor((position + length - 1) / clusterSize)
  if (last - Math.floor(position / clusterSize) >= io.cache.dirtyLimit) return false
  if (missing(io, node, position, length) >= 0) return false
  const targets = clustersOf(io, position, length)
  if (obstacle(io, node, targets, 0) !== NOTHING) return false
  apply(io, node, operation, 0, length, targets)
  operation.transferred = length
  return true
}

/** As `writeNow`, in as many steps as the cache needs: one, if it is not longer than what the cache may have dirty. */
export function* writeTask(io: IoContext, node: FileNode, operation: FileOperation): Task<void> {
  const { clusterSize } = io.core.geometry
  const most = io.cache.dirtyLimit * clusterSize
  const { position, length } = operation
  for (let done = 0; done < length; ) {
    const at = position + done
    const clusterEnd = Math.floor(at / clusterSize) * clusterSize + most
    const size = Math.min(length - done, clusterEnd - at)
    for (;;) {
      operation.status = io.refusal()
      if (operation.status !== 0) return
      const absent = missing(io, node, at, size)
      if (absent >= 0) {
        operation.status = yield* loadCluster(io, node, absent)
        if (operation.status !== 0) return
        continue
      }
      const reason = obstacle(io, node, clustersOf(io, at, size), 0)
      if (reason === NOTHING) break
      if (reason < 0) {
        operation.status = reason
        return
      }
      yield* overcome(io, reason)
    }
    apply(io, node, operation, done, size, clustersOf(io, at, size))
    done += size
    operation.transferred = done
  }
}

function clustersOf(io: IoContext, position: number, length: number): number[] {
  const { clusterSize } = io.core.geometry
  const first = Math.floor(position / clusterSize)
  const last = Math.floor((position + length - 1) / clusterSize)
  const all: number[] = []
  for (let logical = first; logical <= last; logical++) all.push(logical)
  return all
}

/** A cluster of which bytes of the file stay, and that is not in memory; -1 when there is none. */
function missing(io: IoContext, node: FileNode, position: number, length: number): number {
  const { clusterSize } = io.core.geometry
  const { size, map } = node.inode
  const end = position + length
  const first = Math.floor(position / clusterSize)
  const last = Math.floor((end - 1) / clusterSize)
  for (const logical of first === last ? [first] : [first, last]) {
    const start = logical * clusterSize
    const stays = position > start || end < Math.min(size, start + clusterSize)
    if (!stays || start >= size || node.cached.has(logical)) continue
    map.lookup(logical, 1)
    if (map.cluster !== 0) return logical
  }
  return -1
}

/** Copies the bytes into the cache; everything that it needs is there. */
function apply(
  io: IoContext,
  node: FileNode,
  operation: FileOperation,
  from: number,
  length: number,
  targets: number[],
): void {
  const { clusterSize } = io.core.geometry
  const start = operation.position + from
  const end = start + length
  for (const entry of makeDirty(io, node, targets)) {
    const base = entry.logical * clusterSize
    const first = Math.max(start, base)
    const stop = Math.min(end, base + clusterSize)
    toBuffer(io, operation, first - operation.position, stop - first, entry.buffer, first - base)
  }
  const { inode } = node
  if (end > inode.size) inode.size = end
  inode.stamp(io.time())
  io.committer.changed(1)
  // Half of what may wait is on its way while the other half comes together.
  if (io.cache.dirty.size >= io.cache.dirtyLimit >> 1) io.writeBack.begin()
}

/** Entries for `targets`, dirty and with what was promised to them; what no byte was read for is zero. */
export function makeDirty(io: IoContext, node: FileNode, targets: readonly number[]): CacheEntry[] {
  const { cache, core } = io
  const entries: (CacheEntry | undefined)[] = targets.map((logical) => node.cached.get(logical))
  for (const entry of entries) if (entry !== undefined) cache.pin(entry)
  const each = promise(io)
  return targets.map((logical, i) => {
    let entry = entries[i]
    if (entry === undefined) {
      const buffer = cache.takeBuffer()
      cache.buffers.clear(buffer, 0, core.geometry.clusterSize)
      entry = cache.insert(node, logical, buffer)
      cache.pin(entry)
    }
    if (!entry.dirty) {
      entry.promise = each
      core.space.promised += each
    }
    cache.prepare(entry)
    return entry
  })
}
