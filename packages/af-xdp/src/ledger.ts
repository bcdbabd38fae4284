import {
  type NetCounters,
  RX_DROPPED_FILTER,
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
const LEFT_OUT_BEFORE = DROPS.length + 1
export const LEDGER_BYTES = (DROPS.length + 2) * 8

/**
 * Joins what the kernel counts for one socket, and the XDP program for its queue, with the counters of the queue, which
 * outlive the socket: where they stood when the socket was made, and the one kind of drop that the holder sees itself.
 * Shared memory.
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

  /** At the start of a grant. `leftOut` is what the program counted for the queue up to now. */
  open(leftOut: number): void {
    const { values } = this.#counters
    for (let i = 0; i < DROPS.length; i++) this.#words[i] = values[DROPS[i]]
    this.#words[LEFT_OUT_BEFORE] = leftOut - values[RX_DROPPED_FILTER]
  }

  /** The holder refused a frame that reaches into the window's tailroom. */
  countTooLong(): void {
    this.#words[TOO_LONG_HERE]++
  }

  /**
   * Brings the drop counters of the kernel and of the program (`leftOut`) into the queue's. They are absolute, and nobody else writes these slots while the
   * socket lives, so it may be done at any time from any thread.
   */
  refresh(descriptor: number, leftOut: number): void {
    const statistics = socketStatistics(descriptor)
    if (statistics === undefined) return
    const { values } = this.#counters
    values[RX_DROPPED_FILTER] = leftOut - this.#words[LEFT_OUT_BEFORE]
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

/** The holder's own count in a ledger that lies at `byteOffset` of shared memory. */
export function ledgerTooLong(buffer: SharedArrayBuffer, byteOffset: number): Float64Array {
  return new Float64Array(buffer, byteOffset + TOO_LONG_HERE * 8, 1)
}

/** What the kernel counts for a socket, or undefined when there is no socket any more. */
export function socketStatistics(descriptor: number): XdpStatistics | undefined {
  const bytes = new Uint8Array(XDP_STATISTICS_BYTES)
  const length = new Uint32Array([bytes.length])
  if (calls().getsockopt(descriptor, SOL_XDP, XDP_STATISTICS, bytes, length) < 0) return undefined
  return decodeXdpStatistics(bytes)
}
