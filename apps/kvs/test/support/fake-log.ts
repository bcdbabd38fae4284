import type { ParakernelError } from '@parakernel/hal'
import type { AppendDone, Log, RecordVisitor } from '@parakernel/storage'
import type { TestLibOS } from './test-network.ts'

interface Pending {
  readonly sequence: number
  readonly done: AppendDone | undefined
}

/** A log in memory whose records become durable when the test says so. */
export class FakeLog {
  readonly medium = { name: 'fake log' }
  readonly records = new Map<number, Uint8Array>()
  first = 1
  next = 1
  epoch = 0
  capacityBytes = 1 << 20
  failure: ParakernelError | undefined
  /** What `appendRegion` returns instead of taking the record. */
  refusal = 0
  /** Durable at once. */
  isQuick = false
  readonly #pending: Pending[] = []
  #host: TestLibOS | undefined

  /** The log of a partition on this host: addresses are of its region. */
  on(host: TestLibOS): Log {
    this.#host = host
    this.epoch++
    return this as unknown as Log
  }

  get usedBytes(): number {
    let sum = 0
    for (const record of this.records.values()) sum += record.length
    return sum
  }

  appendRegion(address: number, length: number, _level: unknown, done?: AppendDone): number {
    if (this.refusal !== 0) return this.refusal
    const { pool } = this.#host as TestLibOS
    const sequence = this.next++
    this.records.set(sequence, pool.bytes.slice(address, address + length))
    this.#pending.push({ sequence, done })
    if (this.isQuick) queueMicrotask(() => this.settle())
    return sequence
  }

  /** Everything that was appended is durable, or has failed. */
  settle(status = 0): void {
    for (const { sequence, done } of this.#pending.splice(0)) done?.(status, sequence, 0)
  }

  async visit(visit: RecordVisitor, from = this.first, to = this.next): Promise<number> {
    let count = 0
    for (let sequence = from; sequence < to; sequence++, count++) {
      const record = this.records.get(sequence) as Uint8Array
      visit(sequence, record, 0, record.length, 0)
    }
    return count
  }

  async truncate(before: number): Promise<void> {
    for (; this.first < before; this.first++) this.records.delete(this.first)
  }

  async sync(): Promise<void> {
    this.settle()
  }

  async close(): Promise<void> {}
}
