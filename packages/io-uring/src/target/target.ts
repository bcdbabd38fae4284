import type { BlockCapabilities } from '@parakernel/hal'
import type { DeallocateMethod, ZeroMethod } from '../transport.ts'

/** An open file or block device, locked for this process, and what it can. */
export interface Target {
  /** Path as it was given. */
  readonly path: string
  readonly kind: 'file' | 'block-device'
  readonly descriptor: number
  readonly blocks: number
  readonly zeroMethod: ZeroMethod
  readonly deallocateMethod: DeallocateMethod
  readonly capabilities: BlockCapabilities
}
