import type { MemoryRegion } from '@parakernel/hal'
import type { WriteBackInstruction } from '@parakernel/linux'

/** How stores reach the medium: by cache line with an instruction, by a fence alone (the caches are durable), or by msync. */
export type WriteBack =
  | { readonly by: 'line'; readonly instruction: WriteBackInstruction }
  | { readonly by: 'fence'; readonly instruction: WriteBackInstruction }
  | { readonly by: 'page' }

/** What a grant carries to the thread that attaches it; plain data. */
export interface PmemTransport {
  /** Addresses mean something in this process only. */
  readonly process: number
  readonly region: MemoryRegion
  readonly writeBack: WriteBack
  /** Poisoned ranges of the device, pairs of offset and length in bytes, ascending, as known when it was granted. */
  readonly poisoned: readonly number[]
  /** A `ControlBlock`: the life of this grant. */
  readonly control: SharedArrayBuffer
  /** One word for all grants of the device: not 0 when an msync has failed. */
  readonly failure: SharedArrayBuffer
}
