import type { ClusterBuffers } from '../io/buffers.ts'
import type { FileNode } from '../io/file-node.ts'
import type { Signal } from '../io/task.ts'

/** A cluster of a file in memory. */
export class CacheEntry {
  readonly node: FileNode
  readonly logical: number
  buffer: number
  /** Differs from what the media have or are getting. */
  dirty = false
  /** The buffer is under way to the media: it must not change. */
  writing = false
  /** Clusters of the volume that were promised to it. */
  promise = 0
  /** No longer in the cache: truncated, or its file is gone. */
  dropped = false

  constructor(node: FileNode, logical: number, buffer: number) {
    this.node = node
    this.logical = logical
    this.buffer = buffer
  }
}

/**
 * Clusters of files, by file and logical number. Clean ones go, the one unused for longest first, when a buffer is needed; dirty
 * ones stay until they are written. A cluster that is changed while it is being written gets another buffer.
 */
export class ClusterCache {
  readonly buffers: ClusterBuffers
  /** Dirty clusters that there may be. */
  readonly dirtyLimit: number
  readonly dirty = new Set<CacheEntry>()
  hits = 0
  misses = 0
  /** Oldest first. */
  readonly #clean = new Set<CacheEntry>()
  readonly #progress: Signal

  constructor(buffers: ClusterBuffers, dirtyLimit: number, progress: Signal) {
    this.buffers = buffers
    this.dirtyLimit = dirtyLimit
    this.#progress = progress
  }

  /** Buffers that could be had now. */
  get obtainable(): number {
    return this.buffers.available + this.#clean.size
  }

  /** Marks an entry as used just now. */
  use(entry: CacheEntry): void {
    if (this.#clean.delete(entry)) this.#clean.add(entry)
  }

  /** A buffer, if need be that of a clean entry; -1 when there is none. */
  takeBuffer(): number {
    if (this.buffers.available === 0) {
      const oldest = this.#clean.values().next().value
      if (oldest === undefined) return -1
      this.#evict(oldest)
    }
    return this.buffers.take()
  }

  giveBuffer(buffer: number): void {
    this.buffers.give(buffer)
    this.#progress.raise()
  }

  /** Adds a clean entry with what was read. */
  insert(node: FileNode, logical: number, buffer: number): CacheEntry {
    const entry = new CacheEntry(node, logical, buffer)
    node.cached.set(logical, entry)
    this.#clean.add(entry)
    return entry
  }

  /** Before an entry's bytes change. False when it needs another buffer and there is none. */
  prepare(entry: CacheEntry): boolean {
    if (entry.writing) {
      // A clean entry of this very operation must not go: take from the free ones, which the caller has counted.
      const buffer = this.takeBuffer()
      if (buffer < 0) return false
      this.buffers.copy(buffer, entry.buffer)
      entry.buffer = buffer
      entry.writing = false
    }
    if (!entry.dirty) {
      this.#clean.delete(entry)
      entry.dirty = true
      this.dirty.add(entry)
    }
    return true
  }

  /** Keeps clean entries of an operation from being evicted by itself. */
  pin(entry: CacheEntry): void {
    this.#clean.delete(entry)
  }

  /** The write of `buffer` of an entry has ended. */
  written(entry: CacheEntry, buffer: number): void {
    if (entry.buffer === buffer && !entry.dropped) {
      entry.writing = false
      if (!entry.dirty) this.#clean.add(entry)
    } else this.buffers.give(buffer)
  }

  /** Forgets an entry; its promise is the caller's to take back. */
  drop(entry: CacheEntry): void {
    entry.dropped = true
    entry.node.cached.delete(entry.logical)
    this.#clean.delete(entry)
    if (this.dirty.delete(entry)) entry.dirty = false
    if (!entry.writing) this.buffers.give(entry.buffer)
    this.#progress.raise()
  }

  #evict(entry: CacheEntry): void {
    this.#clean.delete(entry)
    entry.dropped = true
    entry.node.cached.delete(entry.logical)
    this.buffers.give(entry.buffer)
    if (entry.node.cached.size === 0) entry.node.emptied()
  }
}
