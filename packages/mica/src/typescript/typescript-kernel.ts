import type { Kernel } from '../kernel.ts'
import type { RequestBatch } from '../request-batch.ts'
import { executeBatch } from './execute.ts'
import { prepareBatch } from './prepare.ts'
import { rehash } from './rehash.ts'
import type { StoreMemory } from './store-memory.ts'

/** The reference: readable, and fast enough to be the fallback. */
export class TypeScriptKernel implements Kernel {
  readonly name = 'typescript'
  /** Where the touch passes' loads end up, so that they are not optimised away. */
  sink = 0
  readonly #store: StoreMemory

  constructor(store: StoreMemory) {
    this.#store = store
  }

  prepare(batch: RequestBatch): void {
    this.sink ^= prepareBatch(this.#store, batch)
  }

  execute(batch: RequestBatch, from: number, to: number, out: number, limit: number, gap: number): number {
    return executeBatch(this.#store, batch, from, to, out, limit, gap)
  }

  rehash(batch: RequestBatch): void {
    rehash(this.#store, batch)
  }
}
