import type { RequestBatch } from './request-batch.ts'

/**
 * What runs batches over a partition's memory. Two implementations, `typescript` and `wasm`, with the same effects
 * byte for byte; a partition may be run by either at any time.
 */
export interface Kernel {
  readonly name: 'typescript' | 'wasm'
  /** See `MicaPartition.prepare`. */
  prepare(batch: RequestBatch): void
  /** See `MicaPartition.execute`. */
  execute(batch: RequestBatch, from: number, to: number, out: number, limit: number, gap: number): number
  /** Computes the keyhash of every request and counts those that the batch had wrong. */
  rehash(batch: RequestBatch): void
}
