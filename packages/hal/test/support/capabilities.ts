import { ALL_COLUMNS, type NetCapabilities, SEGMENT_UDP } from '../../src/index.ts'

/** A device that can do most things. */
export const capabilities: NetCapabilities = {
  columns: ALL_COLUMNS,
  checksum: { verifies: true, computes: true },
  partialChecksums: 'never',
  transmitSegmentation: SEGMENT_UDP,
  receiveSegmentation: 0,
  maxChain: 4,
  transmitAlignment: 1,
  maxPacket: 1514,
  maxSuperPacket: 8000,
  ringSize: 256,
  steering: false,
  rss: 'none',
  receiveFilter: false,
  attach: 'worker',
  regions: ['plain'],
}
