import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release } from 'node:os'

export interface Machine {
  readonly cpu: string
  readonly cpus: number
  /** CPUs that this process may use: fewer than there are means that it is pinned. */
  readonly allowed: string
  readonly pinned: boolean
  readonly governor: string
  readonly kernel: string
  readonly node: string
  readonly v8: string
  readonly commit: string
}

export function describeMachine(): Machine {
  const all = cpus()
  return {
    cpu: all[0]?.model ?? 'unknown',
    cpus: all.length,
    allowed: /^Cpus_allowed_list:\s*(.*)$/m.exec(read('/proc/self/status'))?.[1] ?? 'unknown',
    pinned: availableParallelism() < all.length,
    governor: read('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor').trim() || 'unknown',
    kernel: release(),
    node: process.version,
    v8: process.versions.v8,
    commit: commit(),
  }
}

export const load = (): number[] => loadavg().map((value) => Math.round(value * 100) / 100)

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** `+` when tracked files differ from it. */
function commit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8', cwd: import.meta.dirname }).trim()
  try {
    return git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain', '-uno') === '' ? '' : '+')
  } catch {
    return 'unknown'
  }
}
