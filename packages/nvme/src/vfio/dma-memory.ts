import { createPlainRegion, type DmaMapping, type DmaMemory, type MemoryRegion, ParakernelError } from '@parakernel/hal'
import { IovaAllocator, regionAddress, type VfioContainer } from '@parakernel/linux'
import { PageArena } from './page-arena.ts'

/** Large runs begin at multiples of this bus address, so that the IOMMU can use large pages for them. */
const LARGE_PAGE = 2 << 20
/** Least size of an arena, from which small allocations are cut: a region each would cost an address range of gigabytes. */
const ARENA_BYTES = 1 << 20

interface Owned {
  /** The mapping that is known to the IOMMU. */
  readonly byteLength: number
  readonly arena: PageArena | undefined
}

/** Memory that a device behind an IOMMU reaches, and nothing else. Pinned; counted against the limit of locked memory. */
export class VfioDmaMemory implements DmaMemory {
  readonly pageSize: number
  private readonly container: VfioContainer
  private readonly addresses: IovaAllocator
  private readonly subject: string
  private readonly arenas: PageArena[] = []
  /** What is given out, by bus address. */
  private readonly owned = new Map<number, Owned>()

  constructor(container: VfioContainer, subject: string) {
    this.container = container
    this.subject = subject
    this.pageSize = container.pageSize
    this.addresses = new IovaAllocator(container.ranges, container.pageSize)
  }

  allocate(byteLength: number): DmaMapping {
    const length = Math.ceil(byteLength / this.pageSize) * this.pageSize
    for (const arena of this.arenas) {
      const offset = arena.take(length)
      if (offset >= 0) return this.give(arena, offset, length)
    }
    const region = createPlainRegion(Math.max(ARENA_BYTES, length))
    const busAddress = this.pin(region, 0, region.byteLength)
    const arena = new PageArena({ region, byteOffset: 0, byteLength: region.byteLength, busAddress }, this.pageSize)
    this.arenas.push(arena)
    return this.give(arena, arena.take(length), length)
  }

  map(region: MemoryRegion, byteOffset: number, byteLength: number): DmaMapping {
    const page = this.pageSize
    if (
      byteOffset % page !== 0 ||
      byteLength % page !== 0 ||
      !(byteLength > 0) ||
      byteOffset + byteLength > region.byteLength
    ) {
      throw new ParakernelError(
        'EINVAL',
        `${byteLength} bytes at ${byteOffset} are not whole pages of ${page} bytes within the region`,
        {
          subject: this.subject,
        },
      )
    }
    const busAddress = this.pin(region, byteOffset, byteLength)
    this.owned.set(busAddress, { byteLength, arena: undefined })
    return { region, byteOffset, byteLength, busAddress }
  }

  unmap(mapping: DmaMapping): void {
    const owned = this.owned.get(mapping.busAddress)
    if (owned === undefined || owned.byteLength !== mapping.byteLength) return
    this.owned.delete(mapping.busAddress)
    if (owned.arena !== undefined) {
      // The arena stays mapped: its pages are the driver's own, whatever they serve next.
      owned.arena.give(mapping.byteOffset, mapping.byteLength)
      return
    }
    this.container.unmap(mapping.busAddress, mapping.byteLength)
    this.addresses.free(mapping.busAddress, mapping.byteLength)
  }

  private give(arena: PageArena, byteOffset: number, byteLength: number): DmaMapping {
    const { region, busAddress: base } = arena.mapping
    new Uint8Array(region.buffer, byteOffset, byteLength).fill(0)
    this.owned.set(base + byteOffset, { byteLength, arena })
    return { region, byteOffset, byteLength, busAddress: base + byteOffset }
  }

  private pin(region: MemoryRegion, byteOffset: number, byteLength: number): number {
    const alignment = byteLength >= LARGE_PAGE ? LARGE_PAGE : this.pageSize
    const busAddress = this.addresses.allocate(byteLength, alignment)
    try {
      const subject = `${this.subject}: ${byteLength} bytes of a ${region.kind} region`
      this.container.map(regionAddress(region) + byteOffset, busAddress, byteLength, subject)
    } catch (error) {
      this.addresses.free(busAddress, byteLength)
      throw error
    }
    return busAddress
  }
}
