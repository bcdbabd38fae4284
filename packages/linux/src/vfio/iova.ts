import { ParakernelError } from '@parakernel/hal'
import type { IovaRange } from './container.ts'

interface Hole {
  first: number
  /** One beyond its last address. */
  end: number
}

/**
 * Gives out bus addresses. First fit: a driver makes few mappings, and long-lived ones. Address 0 is never used, so that a register
 * that was not set cannot point to memory.
 */
export class IovaAllocator {
  private readonly holes: Hole[]

  constructor(ranges: readonly IovaRange[], pageSize: number) {
    this.holes = ranges
      .map(({ first, last }) => ({
        first: Math.max(first, pageSize),
        end: Math.floor((last + 1) / pageSize) * pageSize,
      }))
      .filter(({ first, end }) => end > first)
      .sort((a, b) => a.first - b.first)
  }

  /** `alignment` is a power of two. @throws ENOMEM */
  allocate(byteLength: number, alignment: number): number {
    for (let i = 0; i < this.holes.length; i++) {
      const hole = this.holes[i]!
      const first = Math.ceil(hole.first / alignment) * alignment
      const end = first + byteLength
      if (end > hole.end) continue
      const rest: Hole[] = []
      if (first > hole.first) rest.push({ first: hole.first, end: first })
      if (end < hole.end) rest.push({ first: end, end: hole.end })
      this.holes.splice(i, 1, ...rest)
      return first
    }
    throw new ParakernelError('ENOMEM', `no ${byteLength} bus addresses without a gap are left`, {
      subject: 'IOMMU',
      remedy: 'Unmap what is not needed',
    })
  }

  /** Gives a whole allocation back. */
  free(first: number, byteLength: number): void {
    const at = this.holes.findIndex((hole) => hole.first > first)
    const index = at < 0 ? this.holes.length : at
    this.holes.splice(index, 0, { first, end: first + byteLength })
    this.join(index)
    this.join(index - 1)
  }

  private join(index: number): void {
    const left = this.holes[index]
    const right = this.holes[index + 1]
    if (left === undefined || right === undefined || left.end !== right.first) return
    left.end = right.end
    this.holes.splice(index + 1, 1)
  }
}
