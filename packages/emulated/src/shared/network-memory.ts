import type { MemoryRegion } from '@parakernel/hal'
import { EPOCH, Layout } from './layout.ts'

/** Plain clonable data: what a grant carries so that another thread finds the network. */
export interface NetworkReference {
  /** Unique in this process. */
  readonly id: string
  readonly region: MemoryRegion
  readonly maxQueues: number
  /** Address-table entries older than this many milliseconds are not used; 0: they stay. */
  readonly agingMs: number
  /** A cable between two NICs instead of a switch. */
  readonly direct: boolean
}

/** One thread's views of a network's memory. */
export class NetworkMemory {
  readonly reference: NetworkReference
  readonly layout: Layout
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly words: Int32Array
  readonly doubles: Float64Array

  constructor(reference: NetworkReference) {
    this.reference = reference
    this.layout = new Layout(reference.maxQueues)
    const { buffer } = reference.region
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
    this.words = new Int32Array(buffer)
    this.doubles = new Float64Array(buffer)
  }

  get epoch(): number {
    return Atomics.load(this.words, EPOCH)
  }

  /** Tells every queue to decode the tables afresh before its next burst. */
  bump(): void {
    Atomics.add(this.words, EPOCH, 1)
  }
}
