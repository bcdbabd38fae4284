import { Counters } from '../counters.ts'

/**
 * The counters of one net queue, in the order of their indices below. Every packet that reaches a queue ends in
 * exactly one of `rxPackets` and the `rxDropped*`; every packet offered to `transmit` and consumed ends in exactly one of
 * `txPackets`, `txInvalidDescriptors`, `txTooLong`, `txUnsupported` and `txDropped`.
 */
export const NET_COUNTERS = [
  'rxPackets',
  'rxBytes',
  'rxDroppedNoFrame',
  'rxDroppedRingFull',
  'rxDroppedTooLong',
  'rxDroppedFilter',
  'rxDroppedFault',
  'txPackets',
  'txBytes',
  'txRingFull',
  'txInvalidDescriptors',
  'txTooLong',
  'txUnsupported',
  'txDropped',
  'wakeUps',
] as const

export type NetCounter = (typeof NET_COUNTERS)[number]
export type NetStatistics = Record<NetCounter, number>

export const RX_PACKETS = 0
export const RX_BYTES = 1
/** No free frame was posted when the packet arrived. */
export const RX_DROPPED_NO_FRAME = 2
/** The receive ring was full: the holder did not keep up. */
export const RX_DROPPED_RING_FULL = 3
export const RX_DROPPED_TOO_LONG = 4
/** Not for this device's addresses. */
export const RX_DROPPED_FILTER = 5
/** Dropped on purpose by a fault injector. */
export const RX_DROPPED_FAULT = 6
export const TX_PACKETS = 7
export const TX_BYTES = 8
/** Times that `transmit` took less than it was offered because the ring was full. Nothing is lost by it. */
export const TX_RING_FULL = 9
/** Outside the window, misaligned, empty, not held, or an incomplete chain. */
export const TX_INVALID_DESCRIPTORS = 10
export const TX_TOO_LONG = 11
/** Needs an offload that the device does not have. */
export const TX_UNSUPPORTED = 12
/** Accepted, then lost: link down, device removed, or a fault injector. */
export const TX_DROPPED = 13
/** System calls or futex calls made to wake a sleeping side. */
export const WAKE_UPS = 14

export class NetCounters extends Counters<NetCounter> {
  constructor(buffer?: SharedArrayBuffer) {
    super(NET_COUNTERS, buffer)
  }
}
