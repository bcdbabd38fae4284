import { readFileSync, readlinkSync } from 'node:fs'
import type { ThreadTime } from './snapshot.ts'

/** Of USER_HZ, which Linux has fixed for programs. */
const TICK = 10_000_000

/** `123/task/456` for the calling thread, or undefined where the host does not tell. */
export function callingThread(): string | undefined {
  try {
    return readlinkSync('/proc/thread-self')
  } catch {
    return undefined
  }
}

/** What a thread has used, read in the caller's: the thread itself is not asked. Undefined when it is gone. */
export function threadTime(thread: string): ThreadTime | undefined {
  try {
    const [ran, waited] = readFileSync(`/proc/${thread}/schedstat`, 'latin1').split(' ').map(Number)
    if (ran > 0) return { ran, waited }
  } catch {
    // A kernel without schedstats.
  }
  try {
    // The name in parentheses may have spaces in it.
    const [, rest] = /\) (.*)/.exec(readFileSync(`/proc/${thread}/stat`, 'latin1')) ?? []
    const fields = rest.split(' ')
    return { ran: (Number(fields[11]) + Number(fields[12])) * TICK, waited: 0 }
  } catch {
    return undefined
  }
}
