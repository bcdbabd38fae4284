import {
  BLOCK_REFUSED,
  type BlockBurst,
  type BlockCompletions,
  type BlockQueue,
  type BlockQueueGrant,
  type Clock,
  RecordRing,
} from '@parakernel/hal'
import { REFUSED_ENTRIES, RING_FULL } from '../trace/record-kinds.ts'
import type { TraceSettings } from '../trace/settings.ts'
import { CommandTable } from './command-table.ts'
import { ForwardingBlockQueue } from './forwarding-queue.ts'

/** Kind of a record of a command: this plus its opcode, and 64 more when it failed. `a` is its address, `b` its blocks. */
export const COMMAND = 128
export const COMMAND_FAILED = COMMAND + 64

/**
 * A queue that notes each command from its submission to its completion. A clock read for each call with work; nothing is
 * allocated after construction.
 */
export class BlockTraceQueue extends ForwardingBlockQueue {
  readonly #clock: Clock
  readonly #ring: RecordRing
  readonly #table: CommandTable
  readonly #opcode: Int32Array
  readonly #lba: Float64Array
  readonly #blocks: Int32Array
  readonly #start: Float64Array

  constructor(inner: BlockQueue, grant: BlockQueueGrant, settings: TraceSettings, clock: Clock) {
    super(inner, grant)
    // As many again as may be under way: a burst enters before the device has said what it takes.
    const rows = 2 * inner.capabilities.queueDepth
    this.#clock = clock
    this.#ring = new RecordRing(settings.ring)
    this.#table = new CommandTable(rows)
    this.#opcode = new Int32Array(rows)
    this.#lba = new Float64Array(rows)
    this.#blocks = new Int32Array(rows)
    this.#start = new Float64Array(rows)
  }

  submit(burst: BlockBurst, start = 0): number {
    const { count } = burst
    if (start >= count) return this.inner.submit(burst, start)
    const now = this.#clock.now()
    const end = Math.min(count, start + this.#table.free)
    for (let i = start; i < end; i++) this.#table.enter(burst, i)
    burst.count = end
    const done = this.inner.submit(burst, start)
    burst.count = count
    let refused = 0
    for (let i = start; i < end; i++) {
      const row = this.#table.restore(burst, i)
      const taken = i < start + done
      if (taken && (burst.flags[i] & BLOCK_REFUSED) === 0) {
        this.#opcode[row] = burst.opcode[i]
        this.#lba[row] = burst.lba[i]
        this.#blocks[row] = burst.blocks[i]
        this.#start[row] = now
      } else {
        this.#table.leave(row)
        if (taken) refused++
      }
    }
    const ring = this.#ring
    ring.start = now
    ring.end = now
    if (done < count - start) ring.add(RING_FULL, count - start - done, 0)
    if (refused > 0) ring.add(REFUSED_ENTRIES, refused, 0)
    return done
  }

  complete(completions: BlockCompletions): number {
    const count = this.inner.complete(completions)
    if (count === 0) return 0
    const ring = this.#ring
    ring.end = this.#clock.now()
    for (let i = 0; i < count; i++) {
      const row = completions.cookie[i]
      completions.cookie[i] = this.#table.leave(row)
      ring.start = this.#start[row]
      const kind = completions.status[i] === 0 ? COMMAND : COMMAND_FAILED
      ring.add(kind + this.#opcode[row], this.#lba[row], this.#blocks[row])
    }
    return count
  }
}
