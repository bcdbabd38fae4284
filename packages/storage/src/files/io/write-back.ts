import { BLOCK_WRITE } from '@parakernel/hal'
import { EIO, ENOSPC } from '../../medium/errno.ts'
import type { Medium } from '../../medium/medium.ts'
import { MediumRequest } from '../../medium/request.ts'
import type { CacheEntry, ClusterCache } from '../cache/cluster-cache.ts'
import type { Core } from '../core.ts'
import { OutOfClusters } from '../space/space.ts'
import type { Signal } from './task.ts'

/** Clusters that one request writes at most. */
const RUN = 256
/** Places that are tried for data before the volume gives up. */
const ATTEMPTS = 3

/**
 * Gives dirty clusters a place and writes them there, in runs. Data never overwrite data: what a crash would bring back stays where it
 * is until a commit no longer needs it.
 */
export class WriteBack {
  /** Counts captures: each waits for the runs that were begun before it. */
  #generation = 0
  readonly #inFlight = [0, 0]
  /** Data were written since the last flush began. */
  unflushed = false
  /** Some data were given another place since this was last cleared: what was captured is out of date. */
  moved = false
  clustersWritten = 0
  readonly #core: Core
  readonly #cache: ClusterCache
  readonly #medium: Medium
  readonly #progress: Signal
  readonly #fail: (status: number) => void

  constructor(core: Core, cache: ClusterCache, medium: Medium, progress: Signal, fail: (status: number) => void) {
    this.#core = core
    this.#cache = cache
    this.#medium = medium
    this.#progress = progress
    this.#fail = fail
  }

  /** Runs that the last capture has to wait for. */
  get awaited(): number {
    return this.#inFlight[(this.#generation + 1) & 1]
  }

  get underWay(): number {
    return this.#inFlight[0] + this.#inFlight[1]
  }

  /** What is begun from now on belongs to the next capture. None may be awaited. */
  turn(): void {
    this.#generation++
  }

  /** As `start`, for callers that cannot fail: the volume does. */
  begin(): void {
    try {
      this.start()
    } catch (error) {
      if (!(error instanceof OutOfClusters)) throw error
      this.#fail(-ENOSPC)
    }
  }

  /** Starts writing everything that is dirty; afterwards nothing is. */
  start(): void {
    const { dirty } = this.#cache
    if (dirty.size === 0) return
    const entries = [...dirty].sort((a, b) => a.node.inode.number - b.node.inode.number || a.logical - b.logical)
    dirty.clear()
    for (let i = 0; i < entries.length; ) {
      let end = i + 1
      while (end < entries.length && end - i < RUN && follows(entries[end - 1], entries[end])) end++
      this.#place(entries, i, end)
      i = end
    }
  }

  #place(entries: readonly CacheEntry[], from: number, to: number): void {
    const { space } = this.#core
    for (let i = from; i < to; ) {
      const { node, logical } = entries[i]
      const { map } = node.inode
      let near = 0
      if (logical > 0) {
        map.lookup(logical - 1, 1)
        if (map.cluster > 0) near = map.cluster + 1
      }
      const length = space.take(to - i, near)
      if (length === 0) throw new OutOfClusters()
      const cluster = space.start
      const run = entries.slice(i, i + length)
      for (const entry of run) {
        space.promised -= entry.promise
        entry.promise = 0
        entry.dirty = false
        entry.writing = true
      }
      this.#record(run, cluster)
      this.#write(run, cluster, 1, this.#generation & 1)
      i += length
    }
  }

  /** Maps a run of one file to its clusters, with their checksums. */
  #record(run: readonly CacheEntry[], cluster: number): void {
    const { space, checksums } = this.#core
    const { node, logical } = run[0]
    const { map } = node.inode
    map.unmap(logical, logical + run.length, (old, length) => space.give(old, length))
    map.map(logical, cluster, run.length)
    if (!checksums.enabled) return
    for (let i = 0; i < run.length; i++) checksums.set(cluster + i, this.#cache.buffers.checksum(run[i].buffer))
  }

  #write(run: readonly CacheEntry[], cluster: number, attempt: number, turn: number): void {
    const cache = this.#cache
    const used = run.map((entry) => entry.buffer)
    const request = new MediumRequest((done) => {
      this.#inFlight[turn]--
      if (done.status === 0) {
        this.clustersWritten += run.length
        this.unflushed = true
        for (let i = 0; i < run.length; i++) cache.written(run[i], used[i])
      } else if (done.status !== -EIO || attempt === ATTEMPTS) this.#fail(done.status)
      else this.#retry(run, used, cluster, attempt, turn)
      this.#progress.raise()
    }, run.length * cache.buffers.pieces)
    request.begin(BLOCK_WRITE, cluster * this.#core.geometry.clusterSize)
    for (const buffer of used) cache.buffers.addTo(request, buffer)
    this.#inFlight[turn]++
    this.#medium.submit(request)
  }

  /** A run that its place does not take goes to others, cluster by cluster; the place is not used again until the next mount. */
  #retry(run: readonly CacheEntry[], used: readonly number[], cluster: number, attempt: number, turn: number): void {
    const { space } = this.#core
    this.moved = true
    for (let i = 0; i < run.length; i++) {
      const entry = run[i]
      space.spoil(cluster + i)
      const { map } = entry.node.inode
      if (!entry.dropped) map.lookup(entry.logical, 1)
      if (entry.dropped || map.cluster !== cluster + i) {
        // Written over or cut off in the meantime.
        this.#cache.written(entry, used[i])
        continue
      }
      if (entry.buffer !== used[i]) {
        // Changed since: the newer bytes are dirty and will get a place of their own; these go with them.
        this.#cache.buffers.give(used[i])
        continue
      }
      if (space.take(1, 0) === 0) {
        this.#fail(-EIO)
        return
      }
      const place = space.start
      this.#record([entry], place)
      this.#write([entry], place, attempt + 1, turn)
    }
  }
}

function follows(a: CacheEntry, b: CacheEntry): boolean {
  return a.node === b.node && a.logical + 1 === b.logical
}
