import { ParakernelError } from '@parakernel/hal'
import type { QueueDescriptor, QueueOwner, ResolvedOpenOptions } from '@parakernel/queue'
import type { HostFile } from './host-file.ts'

/** Of every queue of this libOS. What was taken goes on when it is cancelled; only the waiting ends. */
export const OWNER: QueueOwner = { needsNodeLoop: true, cancel() {} }

/** A file as one opener has it. */
export class Descriptor {
  readonly qd: QueueDescriptor
  readonly path: string
  readonly file: HostFile
  readonly options: ResolvedOpenOptions
  cursor = 0
  /** Operations that have not ended. */
  #under = 0
  #whenEnded: (() => void) | undefined

  constructor(qd: QueueDescriptor, path: string, file: HostFile, options: ResolvedOpenOptions) {
    this.qd = qd
    this.path = path
    this.file = file
    this.options = options
  }

  begun(): void {
    this.#under++
  }

  ended(): void {
    if (--this.#under === 0) this.#whenEnded?.()
  }

  /** Calls back when no operation of this descriptor is under way. */
  whenEnded(then: () => void): void {
    if (this.#under === 0) then()
    else this.#whenEnded = then
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
