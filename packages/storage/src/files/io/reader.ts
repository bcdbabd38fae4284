import { BLOCK_READ } from '@parakernel/hal'
import { EUCLEAN } from '../../medium/errno.ts'
import { MediumRequest } from '../../medium/request.ts'
import type { IoContext } from './context.ts'
import type { FileNode } from './file-node.ts'
import type { FileOperation } from './operation.ts'
import { checksumOf, directSegments, fromBuffer, zero } from './segments.ts'
import { Signal, type Task } from './task.ts'

/** Clusters that are read ahead of a reader who goes from one to the next. */
const AHEAD = 16
/** Clusters that one request reads into buffers at most. */
const RUN = 64

/** Where a read ends: its own end, or the file's. */
function endOf(node: FileNode, operation: FileOperation): number {
  return Math.min(operation.position + operation.length, node.inode.size)
}

/** Reads what memory has. False, and nothing done, when the media have to be asked. */
export function readNow(io: IoContext, node: FileNode, operation: FileOperation): boolean {
  const { clusterSize } = io.core.geometry
  const { position } = operation
  const end = endOf(node, operation)
  operation.transferred = Math.max(0, end - position)
  if (position >= end) return true
  const last = Math.floor((end - 1) / clusterSize)
  const { map } = node.inode
  for (let logical = Math.floor(position / clusterSize); logical <= last; logical++) {
    if (node.cached.has(logical)) continue
    map.lookup(logical, 1)
    if (map.cluster !== 0) return false
  }
  for (let logical = Math.floor(position / clusterSize); logical <= last; logical++) {
    copyCluster(io, node, operation, logical, end)
  }
  return true
}

/** As `readNow`, from the media as well: whole clusters in place where the frames allow it, others through the cache. */
export function* readTask(io: IoContext, node: FileNode, operation: FileOperation): Task<void> {
  const { clusterSize } = io.core.geometry
  const { map } = node.inode
  const { position } = operation
  const end = endOf(node, operation)
  const last = Math.floor((end - 1) / clusterSize)
  const reads = new Reads()
  let logical = Math.floor(position / clusterSize)
  const sequential = logical === node.readNext
  while (logical <= last && operation.status === 0) {
    if (node.cached.has(logical)) {
      copyCluster(io, node, operation, logical++, end)
      continue
    }
    map.lookup(logical, last - logical + 1)
    if (map.cluster === 0) {
      copyCluster(io, node, operation, logical++, end)
      continue
    }
    let length = 1
    while (length < map.length && !node.cached.has(logical + length)) length++
    const start = logical * clusterSize
    if (start >= position) {
      const whole = Math.min(length, Math.floor((end - start) / clusterSize))
      const segments = whole === 0 ? 0 : directSegments(io, operation, start - position, whole * clusterSize)
      if (segments > 0) {
        readInPlace(io, operation, map.cluster, start - position, whole, segments, reads)
        logical += whole
        continue
      }
    }
    // Partly wanted, or not to be read in place: into buffers, which the cache keeps.
    length = Math.min(length, RUN)
    if (logical + length > last && sequential) {
      map.lookup(logical, AHEAD)
      const ahead = map.length
      while (length < ahead && !node.cached.has(logical + length)) length++
    }
    const { cluster } = map
    const buffers: number[] = []
    while (buffers.length < length) {
      const buffer = io.cache.takeBuffer()
      if (buffer >= 0) {
        buffers.push(buffer)
        continue
      }
      if (buffers.length > 0) break
      io.writeBack.begin()
      yield io.progress.wait
    }
    map.lookup(logical, length)
    if (node.cached.has(logical) || map.cluster !== cluster) {
      for (const buffer of buffers) io.cache.giveBuffer(buffer)
      continue
    }
    readThrough(io, node, operation, logical, cluster, buffers, end, reads)
    logical += Math.min(buffers.length, last - logical + 1)
  }
  while (reads.outstanding > 0) yield reads.ended.wait
  node.readNext = last + 1
  if (operation.status !== 0) operation.transferred = 0
}

/** Reads one cluster into the cache, if it is not there. The status is 0, or a negative errno. */
export function* loadCluster(io: IoContext, node: FileNode, logical: number): Task<number> {
  const { map } = node.inode
  map.lookup(logical, 1)
  const { cluster } = map
  if (cluster === 0 || node.cached.has(logical)) return 0
  let buffer = io.cache.takeBuffer()
  while (buffer < 0) {
    io.writeBack.begin()
    yield io.progress.wait
    buffer = io.cache.takeBuffer()
  }
  const request = new MediumRequest(() => ended.raise(), io.cache.buffers.pieces)
  const ended = new Signal()
  request.begin(BLOCK_READ, cluster * io.core.geometry.clusterSize)
  io.cache.buffers.addTo(request, buffer)
  io.medium.submit(request)
  yield ended.wait
  const status = request.status === 0 ? verify(io, cluster, buffer) : request.status
  if (status !== 0 || node.cached.has(logical)) io.cache.giveBuffer(buffer)
  else io.cache.insert(node, logical, buffer)
  return status
}

class Reads {
  outstanding = 0
  readonly ended = new Signal()
}

function readInPlace(
  io: IoContext,
  operation: FileOperation,
  cluster: number,
  from: number,
  count: number,
  segments: number,
  reads: Reads,
): void {
  const { clusterSize } = io.core.geometry
  const request = new MediumRequest((done) => {
    if (done.status !== 0) operation.status = done.status
    else if (io.core.checksums.enabled) {
      for (let i = 0; i < count; i++) {
        const found = checksumOf(io, operation, from + i * clusterSize, clusterSize)
        if (found !== io.core.checksums.get(cluster + i)) operation.status = -EUCLEAN
      }
    }
    reads.outstanding--
    reads.ended.raise()
  }, segments)
  request.begin(BLOCK_READ, cluster * clusterSize)
  for (let done = 0; done < count * clusterSize; ) {
    const into = operation.seek(from + done)
    const i = operation.segment
    const size = Math.min(count * clusterSize - done, operation.size[i] - into)
    request.add(operation.frame[i], operation.offset[i] + into, size)
    done += size
  }
  reads.outstanding++
  io.medium.submit(request)
}

function readThrough(
  io: IoContext,
  node: FileNode,
  operation: FileOperation,
  logical: number,
  cluster: number,
  buffers: readonly number[],
  end: number,
  reads: Reads,
): void {
  const { cache } = io
  const { clusterSize } = io.core.geometry
  const request = new MediumRequest((done) => {
    for (let i = 0; i < buffers.length; i++) {
      const status = done.status === 0 ? verify(io, cluster + i, buffers[i]) : done.status
      const wanted = (logical + i) * clusterSize < end
      if (status !== 0) {
        if (wanted) operation.status = status
        cache.giveBuffer(buffers[i])
        continue
      }
      if (node.cached.has(logical + i)) cache.giveBuffer(buffers[i])
      else cache.insert(node, logical + i, buffers[i])
      if (wanted) copyCluster(io, node, operation, logical + i, end)
    }
    reads.outstanding--
    io.progress.raise()
    reads.ended.raise()
  }, buffers.length * cache.buffers.pieces)
  request.begin(BLOCK_READ, cluster * clusterSize)
  for (const buffer of buffers) cache.buffers.addTo(request, buffer)
  cache.misses += buffers.length
  reads.outstanding++
  io.medium.submit(request)
}

/** Copies what the operation wants of one cluster that is in the cache or a hole. */
function copyCluster(io: IoContext, node: FileNode, operation: FileOperation, logical: number, end: number): void {
  const { clusterSize } = io.core.geometry
  const start = logical * clusterSize
  const from = Math.max(operation.position, start)
  const length = Math.min(end, start + clusterSize) - from
  const entry = node.cached.get(logical)
  if (entry === undefined) {
    zero(io, operation, from - operation.position, length)
    return
  }
  io.cache.hits++
  io.cache.use(entry)
  fromBuffer(io, operation, from - operation.position, length, entry.buffer, from - start)
}

function verify(io: IoContext, cluster: number, buffer: number): number {
  const { checksums } = io.core
  if (!checksums.enabled || checksums.get(cluster) === io.cache.buffers.checksum(buffer)) return 0
  return -EUCLEAN
}
