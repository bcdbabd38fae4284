import type { PersistentAttachContext, PersistentDevice, PersistentRange } from '@parakernel/hal'
import type { SetupRequest } from '../fixture.ts'

/** Persistent memory under test, whose content the suite overwrites. */
export interface PersistentFixture {
  readonly device: PersistentDevice
  readonly context: PersistentAttachContext
  /** Bytes that the suite may overwrite, at least 64 KiB and four times the granularity. Default: all, at most 1 MiB. */
  readonly range?: PersistentRange
  /** URL of a module that exports `createHost(): Host`, for regions that are used in a worker. Left out where they need no host. */
  readonly hostModule?: string
  /** Why regions cannot be used in another thread than the one that granted them. */
  readonly noWorkers?: string
  /** Cuts the power and brings it back: what was not promised may be lost, and every grant is over. Absent: those cases are skipped. */
  powerCut?(): void | Promise<void>
  /** Makes bytes of the device bad. */
  poison?(offset: number, length: number): void | Promise<void>
  /** Makes them good again. Needed with `poison`. */
  clearPoison?(offset: number, length: number): void | Promise<void>
  /** After `device` was closed: opens the same memory again. The fixture closes that device too. */
  reopen?(): PersistentDevice | Promise<PersistentDevice>
  /** Closes the device if it is open, and everything that `setup` made. */
  close(): void | Promise<void>
}

export interface PersistentConformanceOptions {
  /** Names the implementation in test titles. */
  readonly name: string
  setup(request: SetupRequest): PersistentFixture | Promise<PersistentFixture>
  /** Wraps the device of every fixture, to run the suite over a decorator. */
  readonly decorate?: (device: PersistentDevice) => PersistentDevice
  /** Cases that this implementation cannot pass, by title (`group: case`), with the reason, which is printed. */
  readonly skip?: Readonly<Record<string, string>>
  /** Persists of the case that looks for garbage; default 20,000. */
  readonly operations?: number
}
