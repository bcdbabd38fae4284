import type { DmaMapping } from '@parakernel/hal'

/** Runs of pages out of one mapping: first fit over a table of one byte a page. Queues and lists are few, and made at open. */
export class PageArena {
  readonly mapping: DmaMapping
  private readonly pageSize: number
  private readonly used: Uint8Array

  constructor(mapping: DmaMapping, pageSize: number) {
    this.mapping = mapping
    this.pageSize = pageSize
    this.used = new Uint8Array(mapping.byteLength / pageSize)
  }

  /** Whole pages. Returns the offset within the region, or -1 when there is no such run. */
  take(byteLength: number): number {
    const pages = byteLength / this.pageSize
    let run = 0
    for (let page = 0; page < this.used.length; page++) {
      run = this.used[page] === 0 ? run + 1 : 0
      if (run < pages) continue
      const first = page + 1 - pages
      this.used.fill(1, first, page + 1)
      return this.mapping.byteOffset + first * this.pageSize
    }
    return -1
  }

  give(byteOffset: number, byteLength: number): void {
    const first = (byteOffset - this.mapping.byteOffset) / this.pageSize
    this.used.fill(0, first, first + byteLength / this.pageSize)
  }
}
