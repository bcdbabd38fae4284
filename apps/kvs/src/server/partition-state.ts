import { type FramePool, ParakernelError } from '@parakernel/hal'
import { MicaPartition, type MicaPartitionOptions, RequestBatch } from '@parakernel/mica'
import type { AmplificationGuard } from '../guard/amplification-guard.ts'
import { ENTRY_AREA, LONGEST_VALUE } from '../persist/entry.ts'
import type { StoreJournal } from '../persist/store-journal.ts'
import type { ServerCounters } from './counters.ts'

/** Operations after which a chunk of datagrams is executed: enough for the touch passes, few enough for the first-level cache. */
export const CHUNK = 64
/** More operations than any one datagram can hold (24 bytes each). */
export const LARGEST_PACKET = 96

/** What the protocols of one partition's server share. */
export interface PartitionState {
  readonly index: number
  readonly partitions: number
  readonly pool: FramePool
  readonly store: MicaPartition
  readonly batch: RequestBatch
  /** For the memcached protocol: its datagrams may hold hundreds of keys. */
  readonly textBatch: RequestBatch
  /** One request that follows from another: the write of an `incr`. */
  readonly writeBatch: RequestBatch
  /** Where values of text retrievals are copied out of the store; longer ones are read where they lie. */
  readonly valueAddress: number
  /** 64 bytes in the store's memory. */
  readonly numberAddress: number
  readonly guard: AmplificationGuard
  readonly counters: ServerCounters
  /** Scratch for payloads that have to be moved to an aligned address, in the store's memory. */
  readonly alignAddress: number
  /** Evicts rather than refuses. */
  readonly isCache: boolean
  /** Keeps what changes the store; undefined for a store in memory alone. Set once, before anything is served. */
  journal: StoreJournal | undefined
  /** For the journal: its batch of one, the record that is being written, and a key with its value. */
  readonly accessAddress: number
  readonly journalAddress: number
  readonly journalScratch: number
  /** Ports of this server, all partitions: a request from one of them is a reply that was sent here by a forged request. */
  isServerPort(port: number): boolean
}

/** Slots for unaligned payloads, a power of two: datagrams of a chunk at most. */
export const ALIGN_SLOTS = 64
/** Bytes of one: longer datagrams than this do not come out of frames of 2 KiB. */
export const ALIGN_SLOT_BYTES = 2048
const ALIGN_BYTES = ALIGN_SLOTS * ALIGN_SLOT_BYTES
/** Keys of a burst of memcached datagrams that are looked up together, and of any one datagram at most. */
export const TEXT_CHUNK = 256
const LARGEST_TEXT_REQUEST = 1024
/** Scratch for a number as text. */
const NUMBER_BYTES = 64
export const VALUE_BYTES = 65_536
const TEXT_BATCH = TEXT_CHUNK + LARGEST_TEXT_REQUEST

interface PartitionStateOptions {
  readonly index: number
  readonly partitions: number
  readonly pool: FramePool
  readonly heap: { readonly byteOffset: number; readonly byteLength: number }
  readonly guard: AmplificationGuard
  readonly counters: ServerCounters
  readonly serverPorts: readonly number[]
  readonly store: Omit<MicaPartitionOptions, 'memory' | 'byteOffset' | 'byteLength'>
  /** There will be a journal. */
  readonly isPersistent: boolean
}

const SCRATCH_BYTES = LONGEST_VALUE + 512

/** The least that a store is worth having. */
const LEAST_STORE_BYTES = 1 << 18

/** Lays batch, scratch and store into the partition's heap. @throws ENOSPC for a heap that is too small; as `MicaPartition` */
export function createPartitionState(options: PartitionStateOptions): PartitionState {
  const { pool, heap, index, isPersistent } = options
  const { memory } = pool.window.region
  const batches = [CHUNK + LARGEST_PACKET, TEXT_BATCH, 1].map((capacity) => RequestBatch.byteLength(capacity))
  const forJournal = isPersistent ? RequestBatch.byteLength(1) + ENTRY_AREA + SCRATCH_BYTES : 0
  const least = batches.reduce((sum, bytes) => sum + bytes, VALUE_BYTES + ALIGN_BYTES + forJournal + LEAST_STORE_BYTES)
  if (heap.byteLength < least) {
    throw new ParakernelError('ENOSPC', `${heap.byteLength} bytes do not hold a store`, {
      subject: 'heap',
      remedy: `Give each partition ${Math.ceil(least / 1024)}KiB or more`,
    })
  }
  let at = (heap.byteOffset + 63) & ~63
  const take = (bytes: number) => {
    const start = at
    at = (at + bytes + 63) & ~63
    return start
  }
  const batch = (capacity: number) => new RequestBatch(memory, take(RequestBatch.byteLength(capacity)), capacity)
  const ports = new Set(options.serverPorts)
  return {
    index,
    partitions: options.partitions,
    pool,
    guard: options.guard,
    counters: options.counters,
    batch: batch(CHUNK + LARGEST_PACKET),
    textBatch: batch(TEXT_BATCH),
    writeBatch: batch(1),
    numberAddress: take(NUMBER_BYTES),
    valueAddress: take(VALUE_BYTES),
    alignAddress: take(ALIGN_BYTES),
    accessAddress: take(isPersistent ? RequestBatch.byteLength(1) : 0),
    journalAddress: take(isPersistent ? ENTRY_AREA : 0),
    journalScratch: take(isPersistent ? SCRATCH_BYTES : 0),
    isCache: options.store.mode !== 'store',
    journal: undefined,
    store: new MicaPartition({
      ...options.store,
      memory,
      byteOffset: at,
      byteLength: Math.max(0, heap.byteOffset + heap.byteLength - at),
      name: `partition ${index}`,
    }),
    isServerPort: (port) => ports.has(port),
  }
}
