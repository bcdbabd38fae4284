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
  /** Receive filter can be changed (`setReceiveFilter`). */
  readonly receiveFilter: boolean
  /** A queue can be used in another thread, or another process, than the one that granted it. */
  readonly attach: 'thread' | 'worker' | 'process'
  /** Memory kinds that it takes as frames. */
  readonly regions: readonly ('plain' | 'memfd')[]
}
