import { ParakernelError, type Poller } from '@parakernel/hal'
import { EINTR, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

const POLLIN = 0x0001
const POLLNVAL = 0x0020
/** Bytes of `struct pollfd`: fd i32, events i16, revents i16. */
const POLLFD_BYTES = 8

/**
 * poll(2) over a fixed set of descriptors. A wait allocates nothing and costs the system call plus about 100 ns. Waiting
 * for at most 0 only looks. The kernel's grain here is a millisecond: longer waits are rounded up.
 */
export class DescriptorPoller implements Poller {
  readonly #set: DataView
  readonly #count: number
  readonly #poll = calls().poll

  constructor(fds: readonly number[]) {
    this.#count = fds.length
    this.#set = new DataView(new ArrayBuffer(Math.max(fds.length, 1) * POLLFD_BYTES))
    for (let i = 0; i < fds.length; i++) {
      this.#set.setInt32(i * POLLFD_BYTES, fds[i], true)
      this.#set.setInt16(i * POLLFD_BYTES + 4, POLLIN, true)
    }
  }

  /**
   * Blocks for at most `nanoseconds` and returns how many descriptors are ready; a signal ends the wait early with 0.
   * Throws EBADF when a descriptor was closed.
   */
  wait(nanoseconds: number): number {
    const ready = this.#poll(this.#set, this.#count, Math.min(Math.ceil(nanoseconds / 1e6), 0x7fff_ffff))
    if (ready < 0) {
      const errno = foreign().errno()
      if (errno === EINTR) return 0
      throw systemError(errno, { call: 'poll', subject: `${this.#count} descriptors` })
    }
    if (ready > 0) this.#refuseClosed()
    return ready
  }

  /** Whether the descriptor at `position` was ready in the last `wait`. */
  ready(position: number): boolean {
    return this.#set.getInt16(position * POLLFD_BYTES + 6, true) !== 0
  }

  close(): void {}

  /** Otherwise a loop that waits for a closed descriptor would spin for ever. */
  #refuseClosed(): void {
    for (let i = 0; i < this.#count; i++) {
      if ((this.#set.getInt16(i * POLLFD_BYTES + 6, true) & POLLNVAL) === 0) continue
      throw new ParakernelError('EBADF', 'is not an open descriptor', {
        subject: `descriptor ${this.#set.getInt32(i * POLLFD_BYTES, true)}`,
      })
    }
  }
}
