import type { StoreReference } from './store.ts'

/** The emulated disk's part of a grant: plain clonable data. */
export interface DiskTransport {
  /** Names the disk in its process, so that its own thread attaches to it directly. */
  readonly disk: string
  /** Of the grant, so that an old one is told from a new one. */
  readonly serial: number
  /** What another thread attaches to; undefined when the media are not shared. */
  readonly store: StoreReference | undefined
  /** First block of the granted namespace in the media. */
  readonly base: number
  readonly latency: number
  readonly jitter: number
  readonly reorder: boolean
  readonly seed: number
}
