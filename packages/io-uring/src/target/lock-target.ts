import { fstatSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { lockHolder, tryLock } from '@parakernel/linux'

/** How long a process that was killed may keep what it had open: until its last command is through and its ring is gone. */
const PATIENCE_MS = 2000
/** The same for a ring of this process. */
const OWN_PATIENCE_MS = 200
const PAUSE_MS = 10

/** One owner at a time: locks an open file against other opens of it, for as long as anything refers to this one. */
export function lockTarget(descriptor: number, path: string): void {
  const status = fstatSync(descriptor)
  const ownDeadline = performance.now() + OWN_PATIENCE_MS
  const locked = patiently(() => {
    if (tryLock(descriptor, path)) return true
    const holder = lockHolder(status.dev, status.ino)
    if (holder === undefined || holder.dead) return undefined
    const own = holder.pid === process.pid
    // A lease that this process let go of a moment ago.
    if (own && performance.now() < ownDeadline) return undefined
    throw busy(path, `process ${holder.pid} (${holder.command})${own ? ', which is this one,' : ''} has it open`)
  })
  if (locked === undefined) throw busy(path, 'another process has it open')
}

function busy(path: string, reason: string): ParakernelError {
  return new ParakernelError('EBUSY', reason, {
    subject: path,
    remedy: 'Close it there, or choose another path; nothing was written',
  })
}

/** Repeats `attempt` until it has a result, for as long as a killed process may need to let go. */
export function patiently<T>(attempt: () => T | undefined): T | undefined {
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  const deadline = performance.now() + PATIENCE_MS
  for (;;) {
    const result = attempt()
    if (result !== undefined || performance.now() > deadline) return result
    Atomics.wait(sleeper, 0, 0, PAUSE_MS)
  }
}
