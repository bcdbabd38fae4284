import {
  type NetCounters,
  RX_DROPPED_NO_FRAME,
  RX_DROPPED_RING_FULL,
  RX_DROPPED_TOO_LONG,
  TX_BYTES,
  TX_DROPPED,
  TX_PACKETS,
} from '@parakernel/hal'
import {
  calls,
  decodeXdpStatistics,
  SOL_XDP,
  XDP_STATISTICS,
  XDP_STATISTICS_BYTES,
  type XdpStatistics,
} from '@parakernel/linux'

const DROPS = [RX_DROPPED_NO_FRAME, RX_DROPPED_TOO_LONG, RX_DROPPED_RING_FULL]
const TOO_LONG_HERE = DROPS.length
export const LEDGER_BYTES = (DROPS.length + 1) * 8

/**
 * Joins what the kernel counts for one socket with the counters of the queue, which outlive the socket: where they stood
 * when the socket was made, and the one kind of drop that the holder sees itself. Shared memory.
 */
export class Ledger {
  readonly buffer: SharedArrayBuffer
  readonly #counters: NetCounters
  readonly #words: Float64Array

  constructor(buffer: SharedArrayBuffer, counters: NetCounters) {
    this.buffer = buffer
    this.#counters = counters
    this.#words = new Float64Array(buffer)
  }

  /** At the start of a grant. */
  open(): void {
    for (let i = 0; i < DROPS.length; i++) this.#words[i] = this.#counters.values[DROPS[i]]
  }

  /** The holder refused a frame that reaches into the window's tailroom. */
  countTooLong(): void {
    this.#words[TOO_LONG_HERE]++
  }

  /**
   * Brings the kernel's drop counters into the queue's. They are absolute, and nobody else writes these slots while the
   * socket lives, so it may be done at any time from any thread.
   */
  refresh(descriptor: number): void {
    const statistics = socketStatistics(descriptor)
    if (statistics === undefined) return
    const { values } = this.#counters
    const noFrame = statistics.rxFillRingEmpty
    values[RX_DROPPED_NO_FRAME] = this.#words[0] + noFrame
    // The kernel counts a frame that found no buffer as dropped too.
    values[RX_DROPPED_TOO_LONG] =
      this.#words[1] + Math.max(0, statistics.rxDropped - noFrame) + this.#words[TOO_LONG_HERE]
    values[RX_DROPPED_RING_FULL] = this.#words[2] + statistics.rxRingFull
  }

  /** The last entries: what arrived and was never received, what was accepted and never left. */
  close(unread: number, unsent: number, unsentBytes: number): void {
    const { values } = this.#counters
    values[RX_DROPPED_RING_FULL] += unread
    values[TX_PACKETS] -= unsent
    values[TX_BYTES] -= unsentBytes
    values[TX_DROPPED] += unsent
  }
}

/** What the kernel counts for a socket, or undefined when there is no socket any more. */
function socketStatistics(descriptor: number): XdpStatistics | undefined {
  const bytes = new Uint8Array(XDP_STATISTICS_BYTES)
  const length = new Uint32Array([bytes.length])
  if (calls().getsockopt(descriptor, SOL_XDP, XDP_STATISTICS, bytes, length) < 0) return undefined
  return decodeXdpStatistics(bytes)
}
