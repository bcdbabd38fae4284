import type { BackendContext, BlockDevice, BlockRange, Clock, FrameWindow, FrameWindowOptions } from '@parakernel/hal'
import type { SetupRequest } from '../fixture.ts'

/** A block device under test, whose content the suite overwrites. */
export interface BlockFixture {
  readonly device: BlockDevice
  readonly context: BackendContext & { readonly clock: Clock }
  /** Blocks that the suite may overwrite, at least 64. Default: the first 4096 of the lowest namespace, or all it has. */
  readonly range?: BlockRange
  /** URL of a module that exports `createHost(): Host`, for queues that are used in a worker. Left out where they need no host. */
  readonly hostModule?: string
  /** Why long workloads do not pay here (a register access is a message, say): they are shortened to a few dozen commands. */
  readonly slow?: string
  /** A window that the device takes. Default: `createPlainWindow`. */
  createWindow?(frameCount: number, options?: Partial<FrameWindowOptions>): FrameWindow
  /** Called whenever the suite waits for something: moves a virtual clock, say. */
  advance?(): void | Promise<void>
  /**
   * Cuts the power of the device and brings it back: what was not promised may be lost, and every grant is over. `device` can be
   * granted again afterwards. Absent: the cases about power cuts are skipped.
   */
  powerCut?(): void | Promise<void>
  /** Takes the device away, as by unplugging it. The fixture is only closed after that. */
  remove?(): void | Promise<void>
  /** After `device` was closed: opens the same media again. The fixture closes that device too. Not used over a decorator. */
  reopen?(): BlockDevice | Promise<BlockDevice>
  /** Closes the device if it is open, and everything that `setup` made. */
  close(): void | Promise<void>
}

export interface BlockConformanceOptions {
  /** Names the implementation in test titles. */
  readonly name: string
  setup(request: SetupRequest): BlockFixture | Promise<BlockFixture>
  /** Wraps the device of every fixture, to run the suite over a decorator. */
  readonly decorate?: (device: BlockDevice, context: BackendContext) => BlockDevice
  /** Cases that this implementation cannot pass, by title (`group: case`), with the reason, which is printed. */
  readonly skip?: Readonly<Record<string, string>>
  /** Seed of the random workloads. */
  readonly seed?: number
  /** Commands of each random workload; default 1000. */
  readonly operations?: number
  /** Milliseconds that the suite waits for what must happen, before it says that it did not. Default 5000. */
  readonly patience?: number
}
