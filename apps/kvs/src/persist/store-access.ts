import { OP_DELETE, OP_SET, OP_TEST, RESULT_OK, RequestBatch } from '@parakernel/mica'
import type { PartitionState } from '../server/partition-state.ts'

/** Single requests to the store by whoever keeps it: a lookup, a put, a delete. Leaves the servers' batches alone. */
export class StoreAccess {
  readonly batch: RequestBatch
  readonly #state: PartitionState

  constructor(state: PartitionState) {
    this.#state = state
    this.batch = new RequestBatch(state.batch.memory, state.accessAddress, 1)
  }

  /** Finds a key without moving its value: `batch.storedAddress[0]`, `responseLength`, `responseFlags`, `responseExpiresAt`, version. */
  find(keyAddress: number, keyLength: number, milliseconds: number): boolean {
    this.#begin(OP_TEST, keyAddress, keyLength)
    return this.#run(milliseconds) === RESULT_OK
  }

  put(
    keyAddress: number,
    keyLength: number,
    valueAddress: number,
    valueLength: number,
    flags: number,
    expiresAt: number,
    milliseconds: number,
  ): boolean {
    this.#begin(OP_SET, keyAddress, keyLength)
    this.batch.valueAddress[0] = valueAddress
    this.batch.valueLength[0] = valueLength
    this.batch.flags[0] = flags
    this.batch.expiresAt[0] = expiresAt
    return this.#run(milliseconds) === RESULT_OK
  }

  delete(keyAddress: number, keyLength: number, milliseconds: number): void {
    this.#begin(OP_DELETE, keyAddress, keyLength)
    this.#run(milliseconds)
  }

  #begin(opcode: number, keyAddress: number, keyLength: number): void {
    const { batch } = this
    batch.count = 0
    batch.add(opcode, 0, 0, keyAddress, keyLength)
    batch.valueLength[0] = 0
    batch.flags[0] = 0
    batch.expiresAt[0] = 0
    this.#state.store.rehash(batch)
  }

  #run(milliseconds: number): number {
    const { store, valueAddress } = this.#state
    store.prepare(this.batch, milliseconds)
    this.batch.stopWhenFull = false
    store.execute(this.batch, 0, 1, valueAddress, valueAddress, 0)
    return this.batch.result[0]
  }
}
