import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `parakernel-lab-PID-random`: the process id tells who owns it. */
const NAME = /^parakernel-lab-(\d+)-/

/** A fresh folder for one run. Those whose owner died without removing them go at the same time. */
export function createScratch(): string {
  removeStaleScratch()
  return mkdtempSync(join(tmpdir(), `parakernel-lab-${process.pid}-`))
}

/** Returns what was removed. */
export function removeStaleScratch(): string[] {
  const stale = readdirSync(tmpdir()).filter((name) => {
    const pid = Number(NAME.exec(name)?.[1] ?? 0)
    return pid > 0 && !isAlive(pid)
  })
  for (const name of stale) rmSync(join(tmpdir(), name), { recursive: true, force: true })
  return stale
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
