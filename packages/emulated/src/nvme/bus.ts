import {
  createPlainRegion,
  type DmaMapping,
  type DmaMemory,
  type MemoryRegion,
  ParakernelError,
  REGION_PAGE,
} from '@parakernel/hal'

const PAGE = 4096
/** Just below 4 GiB, so that addresses of both halves of 64 bits are met soon. */
const FIRST_ADDRESS = 0xfff0_0000

/** One mapping, as the device sees it. */
export interface Reach {
  readonly mapping: DmaMapping
  readonly bytes: Uint8Array
  readonly words: Int32Array
}

/**
 * The bus between an emulated controller and memory, with an IOMMU: the controller reaches what is mapped, and nothing else. Between two
 * mappings lies a page that leads nowhere.
 */
export class EmulatedBus implements DmaMemory {
  readonly pageSize = PAGE
  readonly #reaches: Reach[] = []
  #next = FIRST_ADDRESS
  #last: Reach | undefined

  allocate(byteLength: number): DmaMapping {
    const region = createPlainRegion(Math.ceil(byteLength / REGION_PAGE) * REGION_PAGE)
    return this.map(region, 0, Math.ceil(byteLength / PAGE) * PAGE)
  }

  map(region: MemoryRegion, byteOffset: number, byteLength: number): DmaMapping {
    const whole = byteOffset % PAGE === 0 && byteLength % PAGE === 0
    if (!whole || !(byteLength > 0) || byteOffset < 0 || byteOffset + byteLength > region.byteLength) {
      throw new ParakernelError('EINVAL', `${byteLength} bytes at ${byteOffset} are not whole pages of the region`, {
        subject: 'emulated bus',
      })
    }
    const mapping = { region, byteOffset, byteLength, busAddress: this.#next }
    this.#next += byteLength + PAGE
    this.#reaches.push({ mapping, bytes: new Uint8Array(region.buffer), words: new Int32Array(region.buffer) })
    return mapping
  }

  unmap(mapping: DmaMapping): void {
    const index = this.#reaches.findIndex((reach) => reach.mapping === mapping)
    if (index >= 0) this.#reaches.splice(index, 1)
    this.#last = undefined
  }

  /** Mappings in use: a driver that closed everything has left none. */
  get mappings(): number {
    return this.#reaches.length
  }

  /** The mapping in which the whole run lies, or undefined: the IOMMU refuses. */
  find(address: number, length: number): Reach | undefined {
    const last = this.#last
    if (last !== undefined && holds(last, address, length)) return last
    for (const reach of this.#reaches) {
      if (!holds(reach, address, length)) continue
      this.#last = reach
      return reach
    }
    return undefined
  }
}

/** Offset of a bus address in its region. */
export function offsetIn({ mapping }: Reach, address: number): number {
  return address - mapping.busAddress + mapping.byteOffset
}

function holds({ mapping }: Reach, address: number, length: number): boolean {
  return address >= mapping.busAddress && address + length <= mapping.busAddress + mapping.byteLength
}
