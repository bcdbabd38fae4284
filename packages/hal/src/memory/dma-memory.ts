import type { MemoryRegion } from './region.ts'

/** A run of a region that a device may reach, and under which address. */
export interface DmaMapping {
  readonly region: MemoryRegion
  /** Bytes from the start of the region; pages. */
  readonly byteOffset: number
  readonly byteLength: number
  /** Bus address of the first byte, below 2^53. Addresses within the mapping follow without gaps. */
  readonly busAddress: number
}

/**
 * What stands between memory and a device's DMA: an IOMMU, a device model's guest memory, or nothing. Control path: the
 * data path adds `busAddress` to what it knows already.
 */
export interface DmaMemory {
  /** Bytes that mappings are rounded to. */
  readonly pageSize: number
  /**
   * Memory that the device can reach, zeroed, for queues and lists of the driver's own; `unmap` gives it back.
   * @throws ENOMEM
   */
  allocate(byteLength: number): DmaMapping
  /**
   * Makes a run of an existing region reachable, pinned until `unmap`.
   * @throws EINVAL for a run that is not whole pages, ENOTSUP for a kind of region that cannot be pinned, ENOMEM, EPERM
   */
  map(region: MemoryRegion, byteOffset: number, byteLength: number): DmaMapping
  /** The device must not use it any more. Unknown mappings are ignored. */
  unmap(mapping: DmaMapping): void
}
