import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { DescriptorPoller } from './poller.ts'

const O_CLOEXEC = 0o2000000
const O_NONBLOCK = 0o4000

/**
 * Notices that the kernel has let go of an object that can hold files open: give it `token` and close that here. While the object
 * lives so does the token; when it is gone the other end hangs up.
 */
export interface GoneWatch {
  /** Write end of a pipe that nobody writes to. */
  readonly token: number
  /** Closes our own reference to the token: from now on the object's is the last. */
  handOver(): void
  /** Whether it is gone; waits for at most so many milliseconds. After `close` it is taken to be. */
  gone(milliseconds: number): boolean
  close(): void
}

export function createGoneWatch(subject: string): GoneWatch {
  const ends = new Int32Array(2)
  check(calls().pipe2(ends, O_CLOEXEC | O_NONBLOCK), { call: 'pipe2', subject })
  const [end, token] = ends
  const poller = new DescriptorPoller([end])
  let held = true
  let open = true
  const handOver = () => {
    if (held) calls().close(token)
    held = false
  }
  return {
    token,
    handOver,
    gone(milliseconds) {
      if (!open) return true
      const deadline = performance.now() + milliseconds
      for (;;) {
        const left = deadline - performance.now()
        // A signal ends a wait early.
        if (poller.wait(Math.max(left, 0) * 1e6) > 0) return true
        if (left <= 0) return false
      }
    },
    close() {
      handOver()
      if (open) calls().close(end)
      open = false
    },
  }
}
