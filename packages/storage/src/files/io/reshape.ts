import type { CacheEntry } from '../cache/cluster-cache.ts'
import { MAX_LOGICAL } from '../layout/constants.ts'
import { METADATA_RESERVE } from '../space/space.ts'
import type { IoContext } from './context.ts'
import { NOTHING, obstacle, overcome } from './dirtying.ts'
import type { FileNode } from './file-node.ts'
import type { FileOperation } from './operation.ts'
import { loadCluster } from './reader.ts'
import type { Task } from './task.ts'
import { makeDirty } from './writer.ts'

/** Makes the file `operation.position` bytes long, in one step. What lies behind its end in its last cluster is zero. */
export function* truncateTask(io: IoContext, node: FileNode, operation: FileOperation): Task<void> {
  const { clusterSize } = io.core.geometry
  const { inode } = node
  const length = operation.position
  const edge = length < inode.size && length % clusterSize > 0 ? [Math.floor(length / clusterSize)] : []
  operation.status = yield* bringIn(io, node, edge)
  if (operation.status !== 0) return
  for (const entry of present(io, node, edge)) {
    const at = length % clusterSize
    io.cache.buffers.clear(entry.buffer, at, clusterSize - at)
  }
  if (length < inode.size) cut(io, node, Math.ceil(length / clusterSize), MAX_LOGICAL)
  inode.size = length
  inode.stamp(io.time())
  io.committer.changed()
}

/** Makes a hole of the range as far as the file goes, in one step. */
export function* punchTask(io: IoContext, node: FileNode, operation: FileOperation): Task<void> {
  const { clusterSize } = io.core.geometry
  const { inode } = node
  const start = operation.position
  const end = Math.min(start + operation.length, inode.size)
  if (start >= end) {
    operation.status = io.refusal()
    return
  }
  const first = Math.ceil(start / clusterSize)
  // The rest of the last cluster is nothing but zeroes when the file ends in it.
  const last = end === inode.size ? Math.ceil(end / clusterSize) : Math.floor(end / clusterSize)
  const edges = new Set<number>()
  if (start % clusterSize > 0) edges.add(Math.floor(start / clusterSize))
  if (last * clusterSize < end) edges.add(last)
  const targets = [...edges]
  operation.status = yield* bringIn(io, node, targets)
  if (operation.status !== 0) return
  for (const entry of present(io, node, targets)) {
    const base = entry.logical * clusterSize
    const from = Math.max(start, base) - base
    io.cache.buffers.clear(entry.buffer, from, Math.min(end - base, clusterSize) - from)
  }
  if (first < last) cut(io, node, first, last)
  inode.stamp(io.time())
  io.committer.changed()
}

/** Forgets clusters `from` to `to` of a file, in memory and on the media. */
export function cut(io: IoContext, node: FileNode, from: number, to: number): void {
  const { cache, core } = io
  for (const entry of [...node.cached.values()]) {
    if (entry.logical < from || entry.logical >= to) continue
    core.space.promised -= entry.promise
    entry.promise = 0
    cache.drop(entry)
  }
  node.inode.map.unmap(from, to, (cluster, length) => core.space.give(cluster, length))
}

/** Reads the edges that are not holes, until all of them can be changed at once. May use what is reserved: it is to free more. */
function* bringIn(io: IoContext, node: FileNode, edges: readonly number[]): Task<number> {
  for (;;) {
    const refusal = io.refusal()
    if (refusal !== 0) return refusal
    const absent = edges.find((logical) => isMapped(node, logical) && !node.cached.has(logical))
    if (absent !== undefined) {
      const status = yield* loadCluster(io, node, absent)
      if (status !== 0) return status
      continue
    }
    const reason = obstacle(
      io,
      node,
      edges.filter((logical) => node.cached.has(logical)),
      METADATA_RESERVE / 2,
    )
    if (reason === NOTHING) return 0
    if (reason < 0) return reason
    yield* overcome(io, reason)
  }
}

function present(io: IoContext, node: FileNode, edges: readonly number[]): CacheEntry[] {
  return makeDirty(
    io,
    node,
    edges.filter((logical) => node.cached.has(logical)),
  )
}

function isMapped(node: FileNode, logical: number): boolean {
  node.inode.map.lookup(logical, 1)
  return node.inode.map.cluster !== 0
}
