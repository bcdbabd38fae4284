import { MEMORY_CRITICAL, MEMORY_NORMAL } from '../tcp/buffer/memory-budget.ts'
import type { Connection } from '../tcp/connection/connection.ts'
import { EXT_RECEIVE_COMPACTIONS } from '../tcp/input-counters.ts'
import type { TcpContext } from './tcp-context.ts'

/** Connections that are looked at in a round while frames are short. */
const LOOKED_AT = 32

/**
 * What is done while frames are short, a few connections a round: bytes that wait for a slow reader are packed into as few
 * frames as they need, and, when nothing else is left, what came beyond a gap is given back; its sender has it still (RFC 2018
 * section 8). Windows stop to open by themselves, and bytes in order that were acknowledged are never dropped.
 */
export class TcpPressure {
  readonly #tcp: TcpContext
  #next = 0

  constructor(context: TcpContext) {
    this.#tcp = context
  }

  relieve(): void {
    const { budget, endpoints, inputCounters } = this.#tcp
    const { level } = budget
    if (level === MEMORY_NORMAL) return
    const { slots } = endpoints
    const count = Math.min(LOOKED_AT, slots.length)
    for (let i = 0; i < count; i++) {
      if (this.#next >= slots.length) this.#next = 0
      const endpoint = slots[this.#next++]
      if (endpoint === undefined) continue
      const { connection } = endpoint
      if (level === MEMORY_CRITICAL) connection.receiveQueue.renege()
      if (isWasteful(connection, this.#tcp.pool.frameSize) && connection.receiveQueue.compact() > 0) {
        inputCounters.values[EXT_RECEIVE_COMPACTIONS]++
      }
    }
  }
}

/** Whether half of the frames of the bytes in order could be spared. */
function isWasteful({ receiveQueue }: Connection, frameSize: number): boolean {
  const { slices, readable } = receiveQueue
  return slices > 1 && slices * frameSize > 3 * readable
}
