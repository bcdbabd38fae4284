import { readdirSync, readFileSync } from 'node:fs'

/** Kernel ticks a second: USER_HZ, fixed by the ABI of /proc. */
const HZ = 100

/** CPU seconds that a process with all its threads has used: the scheduler's own account, in nanoseconds, not in ticks. */
export function processCpu(pid: number): number {
  let nanoseconds = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ')[0])
  }
  return nanoseconds / 1e9
}

/** CPU seconds that the whole machine was not idle, interrupts included. */
export function machineCpu(): number {
  const [, user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'latin1')
    .split('\n')[0]
    .split(/ +/)
  return [user, nice, system, irq, softirq, steal].reduce((sum, field) => sum + Number(field), 0) / HZ
}

/** Process id of a child of `pid`, for programs that are started through another (taskset, pnpm). */
export function leafOf(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`)
  for (const task of tasks) {
    const [child] = readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim().split(' ').filter(Boolean)
    if (child !== undefined) return leafOf(Number(child))
  }
  return pid
}
