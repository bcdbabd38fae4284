import { EAGAIN, EBUSY, EINTR } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import {
  IORING_CQ_EVENTFD_DISABLED,
  IORING_ENTER_GETEVENTS,
  IORING_ENTER_SQ_WAKEUP,
  IORING_SETUP_CQE32,
  IORING_SETUP_IOPOLL,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQPOLL,
  IORING_SQ_CQ_OVERFLOW,
  IORING_SQ_NEED_WAKEUP,
  IORING_SQ_TASKRUN,
} from './constants.ts'
import type { MappedIoUring } from './mapped-ring.ts'

/**
 * Both rings of an io_uring in the thread that uses it. Entries are 32-bit words, read and written in place:
 *
 *     const at = ring.next()                     // a free entry; fill all of its words, or prepare() them
 *     ring.submit()                              // one system call for all that were prepared, or none
 *     for (let n = ring.ready(); n > 0; n--) {
 *       const at = ring.front()                  // its words: user data low, high, result, flags
 *       ring.pop()
 *     }
 *     ring.release()                             // gives the popped entries back
 *
 * Nothing here allocates or throws. The caller keeps no more than `completionEntries` commands under way.
 */
export class IoUring {
  /** Words of all submission entries: 16 each, or 32 with IORING_SETUP_SQE128. */
  readonly sqe: Int32Array
  /** Words of all completions: 4 each, or 8 with IORING_SETUP_CQE32. */
  readonly cqe: Int32Array
  readonly sqeWords: number
  readonly cqeWords: number
  readonly entries: number
  /** io_uring_enter calls that were made. */
  enters = 0

  readonly #descriptor: number
  readonly #enter = calls().io_uring_enter
  readonly #sqHead: Int32Array
  readonly #sqTail: Int32Array
  readonly #sqFlags: Int32Array
  readonly #cqHead: Int32Array
  readonly #cqTail: Int32Array
  readonly #cqFlags: Int32Array
  readonly #sqShift: number
  readonly #cqShift: number
  readonly #sqMask: number
  readonly #cqMask: number
  readonly #polledBySubmitter: boolean
  readonly #polledDevice: boolean
  /** Next entry to prepare, next that the kernel has not been told of, and the kernel's head as last seen. */
  #tail: number
  #told: number
  #headSeen: number
  #front: number

  constructor(ring: MappedIoUring) {
    const rings = foreign().view(ring.rings.address, ring.rings.length)
    const word = (at: number) => new Int32Array(rings, at, 1)
    this.sqeWords = ring.flags & IORING_SETUP_SQE128 ? 32 : 16
    this.cqeWords = ring.flags & IORING_SETUP_CQE32 ? 8 : 4
    this.entries = ring.submissionEntries
    this.sqe = new Int32Array(foreign().view(ring.sqes.address, ring.sqes.length))
    this.cqe = new Int32Array(rings, ring.completion.entries, ring.completionEntries * this.cqeWords)
    this.#descriptor = ring.descriptor
    this.#sqHead = word(ring.submission.head)
    this.#sqTail = word(ring.submission.tail)
    this.#sqFlags = word(ring.submission.flags)
    this.#cqHead = word(ring.completion.head)
    this.#cqTail = word(ring.completion.tail)
    this.#cqFlags = word(ring.completion.flags)
    this.#sqShift = Math.log2(this.sqeWords)
    this.#cqShift = Math.log2(this.cqeWords)
    this.#sqMask = ring.submissionEntries - 1
    this.#cqMask = ring.completionEntries - 1
    this.#polledBySubmitter = (ring.flags & IORING_SETUP_SQPOLL) !== 0
    this.#polledDevice = (ring.flags & IORING_SETUP_IOPOLL) !== 0
    this.#tail = Atomics.load(this.#sqTail, 0)
    this.#told = this.#tail
    this.#headSeen = Atomics.load(this.#sqHead, 0)
    this.#front = Atomics.load(this.#cqHead, 0)
  }

  /** Index of the first word of a free submission entry, which is the caller's to fill; -1 when the ring is full. */
  next(): number {
    const tail = this.#tail
    if (((tail - this.#headSeen) | 0) > this.#sqMask) {
      this.#headSeen = Atomics.load(this.#sqHead, 0)
      if (((tail - this.#headSeen) | 0) > this.#sqMask) return -1
    }
    this.#tail = (tail + 1) | 0
    return (tail & this.#sqMask) << this.#sqShift
  }

  /** Fills an entry of the common form. `offset` and `address` are doubles below 2^53; `userData` an int32. */
  prepare(
    at: number,
    opcodeAndFlags: number,
    fd: number,
    offset: number,
    address: number,
    length: number,
    operationFlags: number,
    userData: number,
  ): void {
    const { sqe } = this
    sqe[at] = opcodeAndFlags
    sqe[at + 1] = fd
    sqe[at + 2] = offset | 0
    sqe[at + 3] = (offset / 0x1_0000_0000) | 0
    sqe[at + 4] = address | 0
    sqe[at + 5] = (address / 0x1_0000_0000) | 0
    sqe[at + 6] = length
    sqe[at + 7] = operationFlags
    sqe[at + 8] = userData
    sqe[at + 9] = 0
    // Buffer 0, no personality, no third address.
    sqe[at + 10] = 0
    sqe[at + 11] = 0
    sqe[at + 12] = 0
    sqe[at + 13] = 0
    sqe[at + 14] = 0
    sqe[at + 15] = 0
  }

  /** Entries that were prepared and that the kernel has not taken. */
  get unsubmitted(): number {
    return (this.#tail - Atomics.load(this.#sqHead, 0)) | 0
  }

  /** Entries that the kernel took and has not answered; not of a ring with IORING_SETUP_DEFER_TASKRUN. */
  get outstanding(): number {
    return (Atomics.load(this.#sqHead, 0) - Atomics.load(this.#cqTail, 0)) | 0
  }

  /**
   * Makes the kernel take what was prepared. With IORING_SETUP_SQPOLL it costs nothing while the kernel's thread is awake;
   * otherwise it is one system call, which posts completions too. Returns 0, or a negative errno of a kernel that took
   * less and shall be asked again: -EAGAIN, -EBUSY, -EINTR; or of a ring that is gone.
   */
  submit(waitFor = 0): number {
    if (this.#told !== this.#tail) {
      this.#told = this.#tail
      Atomics.store(this.#sqTail, 0, this.#tail)
    }
    if (this.#polledBySubmitter) {
      const asleep = (Atomics.load(this.#sqFlags, 0) & IORING_SQ_NEED_WAKEUP) !== 0
      if (asleep) return this.#call(0, waitFor, waitFor > 0 ? SLEEPY_WAIT : IORING_ENTER_SQ_WAKEUP)
      return waitFor > 0 ? this.#call(0, waitFor, IORING_ENTER_GETEVENTS) : 0
    }
    const count = (this.#tail - Atomics.load(this.#sqHead, 0)) | 0
    if (count === 0 && waitFor === 0) return 0
    return this.#call(count, waitFor, IORING_ENTER_GETEVENTS)
  }

  /** Completions that can be popped. Enters the kernel only where it says that some wait for that, or to poll a device. */
  ready(): number {
    const n = (Atomics.load(this.#cqTail, 0) - this.#front) | 0
    if (n > 0) return n
    const flags = Atomics.load(this.#sqFlags, 0)
    if ((flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) === 0 && !this.#polledDevice) return 0
    this.#call(0, 0, IORING_ENTER_GETEVENTS)
    return (Atomics.load(this.#cqTail, 0) - this.#front) | 0
  }

  /** Index of the first word of the oldest completion; valid until `release`. */
  front(): number {
    return (this.#front & this.#cqMask) << this.#cqShift
  }

  pop(): void {
    this.#front = (this.#front + 1) | 0
  }

  /** Gives popped completions back to the kernel. */
  release(): void {
    Atomics.store(this.#cqHead, 0, this.#front)
  }

  /** Whether a registered eventfd is signalled by completions. */
  set signalled(wanted: boolean) {
    Atomics.store(this.#cqFlags, 0, wanted ? 0 : IORING_CQ_EVENTFD_DISABLED)
  }

  /** Whether something waits to be popped or to be posted; looks only. */
  get waiting(): boolean {
    return (
      Atomics.load(this.#cqTail, 0) !== this.#front ||
      (Atomics.load(this.#sqFlags, 0) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) !== 0
    )
  }

  #call(count: number, waitFor: number, flags: number): number {
    this.enters++
    const result = this.#enter(this.#descriptor, count, waitFor, flags, 0, 0)
    return result < 0 ? -foreign().errno() : 0
  }
}

const SLEEPY_WAIT = IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP

/** Whether a negative result of `submit` means: later. */
export function isTransient(result: number): boolean {
  return result === -EAGAIN || result === -EBUSY || result === -EINTR
}
