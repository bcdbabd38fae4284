import { ParakernelError } from '@parakernel/hal'
import type { QueueDescriptor, QueueOwner, ResolvedOpenOptions } from '@parakernel/queue'
import type { VolumeFile } from '../files/volume.ts'

/** Of every queue of this libOS. What was taken goes on when it is cancelled; only the waiting ends. */
export const OWNER: QueueOwner = { cancel() {} }

/** A file as one opener has it. */
export class OpenFile {
  readonly qd: QueueDescriptor
  readonly path: string
  readonly file: VolumeFile
  readonly append: boolean
  /** Whether a push is complete when the volume has it. */
  readonly buffered: boolean
  cursor = 0
  /** Operations that have not ended. */
  outstanding = 0
  /** Called once, when none is left. */
  whenIdle: (() => void) | undefined = undefined
  /** Status of a buffered push that failed. */
  lost = 0

  constructor(qd: QueueDescriptor, path: string, file: VolumeFile, options: ResolvedOpenOptions) {
    this.qd = qd
    this.path = path
    this.file = file
    this.append = options.append
    this.buffered = options.durability === 'buffered'
  }

  ended(): void {
    if (--this.outstanding > 0 || this.whenIdle === undefined) return
    const then = this.whenIdle
    this.whenIdle = undefined
    then()
  }

  /** @throws EINVAL */
  seek(offset: number, from: 'start' | 'cursor' | 'end'): number {
    const base = from === 'start' ? 0 : from === 'cursor' ? this.cursor : this.file.size
    const cursor = base + offset
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(cursor) || cursor < 0) {
      throw new ParakernelError('EINVAL', `${offset} from the ${from} is no position`, { subject: `queue ${this.qd}` })
    }
    this.cursor = cursor
    return cursor
  }
}
