import { existsSync, readdirSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { ip } from './ip-command.ts'

/** `pk-LABEL-PID`: at most 15 bytes, the longest interface name. The process id tells who owns it. */
const NAME = /^pk-[a-z0-9]{1,4}-(\d+)$/

/** What this thread made and has not removed. */
const owned = new Set<string>()
let hooked = false

export function labName(label: string): string {
  if (!/^[a-z0-9]{1,4}$/.test(label)) {
    throw new ParakernelError('EINVAL', 'is not 1 to 4 of a-z and 0-9', { subject: `label ${JSON.stringify(label)}` })
  }
  const name = `pk-${label}-${process.pid}`
  // Also true of another thread's.
  if (owned.has(name) || existsSync(`/run/netns/${name}`)) {
    throw new ParakernelError('EEXIST', 'this process has such a pair already', {
      subject: name,
      remedy: 'Give the second pair another label, or remove the first',
    })
  }
  return name
}

/** Removes interfaces and namespaces whose owner is dead, and says which. */
export function removeStale(): string[] {
  const stale = new Set<string>()
  for (const folder of ['/run/netns', '/sys/class/net']) {
    let names: string[]
    try {
      names = readdirSync(folder)
    } catch {
      continue
    }
    for (const name of names) {
      const pid = Number(NAME.exec(name)?.[1] ?? 0)
      // A name with our own id may be another thread's.
      if (pid > 0 && !isAlive(pid)) stale.add(name)
    }
  }
  for (const name of stale) removePair(name)
  return [...stale]
}

/** Removes the pair when this process ends, unless `forget` comes first. */
export function tearDownAtExit(name: string): void {
  owned.add(name)
  if (hooked) return
  hooked = true
  process.on('exit', removeAll)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const onSignal = () => {
      // A program with a handler of its own stops in its own order, and ends with `exit`.
      if (process.listenerCount(signal) > 1) return
      removeAll()
      process.off(signal, onSignal)
      process.kill(process.pid, signal)
    }
    process.on(signal, onSignal)
  }
}

/** False when it was removed already. */
export function forget(name: string): boolean {
  return owned.delete(name)
}

function removeAll(): void {
  for (const name of owned) {
    owned.delete(name)
    removePair(name)
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: alive, and another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Both parts may be gone already, each alone: a user deletes a link, a crash came between two steps. */
export function removePair(name: string): void {
  for (const command of [`link del ${name}`, `netns del ${name}`]) {
    try {
      ip([command])
    } catch {
      // Gone.
    }
  }
}
