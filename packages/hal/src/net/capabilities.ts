import type { MemoryRegion } from '../memory/region.ts'

/** What a net device does itself; a libOS does the rest in software. Plain data, fixed while the device is open. */
export interface NetCapabilities {
  /** Columns of `NetBurst` that the device reads and writes (`COLUMN_*`). */
  readonly columns: number
  /** Transport checksums: `verifies` on receive, `computes` on transmit (`CHECKSUM_WANTED`). */
  readonly checksum: { readonly verifies: boolean; readonly computes: boolean }
  /** Packets may arrive with only the pseudo-header summed (`CHECKSUM_PARTIAL`, or unmarked where the device cannot tell). */
  readonly partialChecksums: 'never' | 'marked' | 'unmarked'
  /** `SEGMENT_*` flags that `transmit` takes: the device cuts super-frames. */
  readonly transmitSegmentation: number
  /** `SEGMENT_*` flags that may appear on receive: the device joins segments, or passes super-frames on. */
  readonly receiveSegmentation: number
  /** Most entries of one packet, transmit and receive. 1: no chains. */
  readonly maxChain: number
  /** Transmitted data must start at a multiple of this many bytes in the region. */
  readonly transmitAlignment: number
  /** Longest packet, Ethernet header included, checksum excluded; longer for super-frames if segmentation is there. */
  readonly maxPacket: number
  readonly maxSuperPacket: number
  /** Entries of each ring. */
  readonly ringSize: number
  /** Takes steering rules from `NetDevice.steer`. */
  readonly steering: boolean
  /** How received packets spread over queues that no rule names. */
  readonly rss: 'toeplitz' | 'device' | 'none'
  /**
   * Key of the Toeplitz hash as hexadecimal text, 80 digits, where the device tells it: a libOS can then choose ports whose answers
   * come to the queue that asked. The queue is entry `hash % 128` of a table that names the device's queues in turn.
   */
  readonly rssKey?: string
  /** Receive filter can be changed (`setReceiveFilter`). */
  readonly receiveFilter: boolean
  /** Takes filter expressions from `NetDevice.setPacketFilter`: what does not match is dropped before it costs a frame. */
  readonly packetFilter?: boolean
  /** A queue can be used in another thread, or another process, than the one that granted it. */
  readonly attach: 'thread' | 'worker' | 'process'
  /** Memory kinds that it takes as frames. */
  readonly regions: readonly MemoryRegion['kind'][]
}
