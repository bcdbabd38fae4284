import type { Loop } from '@parakernel/kernel'
import type { Medium } from '../../medium/medium.ts'
import type { ClusterCache } from '../cache/cluster-cache.ts'
import type { Committer } from '../commit/committer.ts'
import type { Core } from '../core.ts'
import type { Signal } from './task.ts'
import type { WriteBack } from './write-back.ts'

/** What operations on files work with. */
export interface IoContext {
  readonly medium: Medium
  readonly loop: Loop
  readonly core: Core
  readonly cache: ClusterCache
  readonly writeBack: WriteBack
  readonly committer: Committer
  /** Raised when a buffer came free, a write or a commit ended, or the volume failed. */
  readonly progress: Signal
  /** Nanoseconds since 1970. */
  readonly time: () => number
  /** 0, or the negative errno that the volume failed with or refuses changes by. */
  readonly refusal: () => number
  /** Bytes that were copied between frames. */
  bytesCopied: number
}
