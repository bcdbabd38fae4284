import type { FrameWindow, NetCapabilities } from '@parakernel/hal'
import { REGION_PAGE } from '@parakernel/hal'

/** A window without its memory: where its frames lie in the region that both processes map. */
export type WindowShape = Omit<FrameWindow, 'region' | 'wake'>

/** What the other process needs to know besides its descriptors: plain data, also as JSON. */
export interface XdpLeaseTicket {
  readonly device: string
  readonly queue: number
  readonly window: WindowShape
  readonly capabilities: NetCapabilities
  readonly ringSize: number
  readonly metadataBytes: number
}

/** What the other process inherits, in this order. */
export const SOCKET = 0
export const STATUS = 1

/** Parts of the status memory, each a region of its own where it is mapped: its views all begin at 0. */
export const CONTROL_PART = 0
export const COUNTERS_PART = REGION_PAGE
export const LEDGER_PART = 2 * REGION_PAGE
export const STATUS_BYTES = 3 * REGION_PAGE

export function shapeOf({ byteOffset, frameSize, frameCount, headroom, tailroom, lease }: FrameWindow): WindowShape {
  return { byteOffset, frameSize, frameCount, headroom, tailroom, lease }
}
