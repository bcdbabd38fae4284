import type { WasmMemory } from '@parakernel/hal'
import { MicaReader, OP_GET, partitionOf, RESULT_NOT_FOUND, RESULT_OK } from '@parakernel/mica'
import type { DatagramBurst } from '@parakernel/queue'
import { OPERATION_HEADER_BYTES, PACKET_HEADER_BYTES, pad8 } from '../protocol/native/layout.ts'
import type { RequestParser } from '../protocol/native/request-parser.ts'
import type { ResponseWriter } from '../protocol/native/response-writer.ts'
import { C_NO_FRAME, C_READ_ELSEWHERE } from './counters.ts'
import type { Replies } from './outbox.ts'
import type { PartitionState } from './partition-state.ts'
import type { ReplyFrames } from './reply-frames.ts'

/** Where a partition's store lies. Clonable. */
export interface StoreLocation {
  readonly memory: WasmMemory
  readonly byteOffset: number
}

/**
 * CREW: GETs of keys that other partitions own, served here by reading the owner's memory. Their answers go out in datagrams
 * of their own, as those of handed-over operations do. A read here does not count as a use of the item at its owner.
 */
export class ForeignReads {
  readonly #state: PartitionState
  readonly #frames: ReplyFrames
  readonly #writer: ResponseWriter
  readonly #outbox: Replies
  readonly #readers: readonly (MicaReader | undefined)[]
  #milliseconds = 0

  /** @throws as `MicaReader`: ENOENT, ENOTSUP */
  constructor(
    state: PartitionState,
    frames: ReplyFrames,
    writer: ResponseWriter,
    outbox: Replies,
    stores: readonly StoreLocation[],
  ) {
    this.#state = state
    this.#frames = frames
    this.#writer = writer
    this.#outbox = outbox
    this.#readers = stores.map(({ memory, byteOffset }, partition) =>
      partition === state.index ? undefined : new MicaReader(memory, byteOffset, () => this.#milliseconds),
    )
  }

  /** Serves the GETs among the batch's operations `first` to `first + count - 1` that are not ours; returns how many are left. */
  take(parser: RequestParser, burst: DatagramBurst, d: number, first: number, count: number, now: number): number {
    const { batch, index, partitions, pool, counters } = this.#state
    this.#milliseconds = now
    const end = first + count
    let kept = first
    let frame = -1
    let at = 0
    let answers = 0
    const send = () => {
      const base = this.#frames.address(frame)
      this.#writer.header(base, answers, 0, parser.packetOpaque)
      this.#outbox.add(frame, base, at - base, burst.peerAddress[d], burst.peerPort[d])
      counters.values[C_READ_ELSEWHERE] += answers
      frame = -1
      answers = 0
    }
    for (let i = first; i < end; i++) {
      const owner = partitionOf(batch.hashHi[i], partitions)
      const reader = owner === index || parser.forced[i] !== 0 ? undefined : this.#readers[owner]
      if (reader === undefined || batch.opcode[i] !== OP_GET || batch.keyLength[i] === 0) {
        if (kept !== i) parser.move(kept, i)
        kept++
        continue
      }
      const item = reader.getItem(pool.bytes.subarray(batch.keyAddress[i], batch.keyAddress[i] + batch.keyLength[i]))
      const length = item?.value.length ?? 0
      const bytes = OPERATION_HEADER_BYTES + pad8(length)
      // What fits in no datagram is the owner's to refuse.
      if (PACKET_HEADER_BYTES + bytes > this.#frames.room) {
        if (kept !== i) parser.move(kept, i)
        kept++
        continue
      }
      if (frame >= 0 && at + bytes > this.#frames.address(frame) + this.#frames.room) send()
      if (frame < 0) {
        frame = pool.allocate()
        if (frame < 0) {
          counters.values[C_NO_FRAME]++
          continue
        }
        at = this.#frames.address(frame) + PACKET_HEADER_BYTES
      }
      const result = item === undefined ? RESULT_NOT_FOUND : RESULT_OK
      this.#writer.operation(at, i, result, length, item?.version ?? 0n, item?.flags ?? 0)
      if (item !== undefined) {
        pool.bytes.fill(0, at + OPERATION_HEADER_BYTES + length, at + bytes)
        pool.bytes.set(item.value, at + OPERATION_HEADER_BYTES)
      }
      at += bytes
      answers++
    }
    if (frame >= 0) send()
    batch.count = kept
    return kept - first
  }
}
