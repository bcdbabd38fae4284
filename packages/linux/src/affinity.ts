import { check } from './errno.ts'
import { calls } from './ffi/calls.ts'

/** Room for 1024 cores, the size of glibc's cpu_set_t. */
const MASK_BYTES = 128

/** The cores that a thread may run on, ascending: the calling one, or the one with that id (the process's: its main thread). */
export function allowedCores(thread = 0): number[] {
  const mask = new Uint8Array(MASK_BYTES)
  check(calls().sched_getaffinity(thread, MASK_BYTES, mask), { call: 'sched_getaffinity', subject: `thread ${thread}` })
  const cores: number[] = []
  for (let core = 0; core < MASK_BYTES * 8; core++) {
    if ((mask[core >> 3] >> (core & 7)) & 1) cores.push(core)
  }
  return cores
}

/** Pins the calling thread (a worker pins itself) to `cores`. Throws EINVAL when none of them exists or is allowed. */
export function pinThread(cores: readonly number[]): void {
  const mask = new Uint8Array(MASK_BYTES)
  for (const core of cores) {
    if (Number.isInteger(core) && core >= 0 && core < MASK_BYTES * 8) {
      mask[core >> 3] |= 1 << (core & 7)
    }
  }
  check(calls().sched_setaffinity(0, MASK_BYTES, mask), {
    call: 'sched_setaffinity',
    subject: `cores ${cores.join(',')}`,
    remedy: `Choose from the cores this thread may use: ${allowedCores().join(',')}`,
  })
}
