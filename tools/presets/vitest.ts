import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineProject } from 'vitest/config'

/** Tests run from source: the `source` export condition points every workspace import at `src`. */
export function project(name: string, test: Record<string, unknown> = {}) {
  return defineProject({
    resolve: { conditions: ['source'] },
    ssr: { resolve: { conditions: ['source', 'node', 'import'], externalConditions: ['source', 'node'] } },
    test: {
      name,
      include: ['test/**/*.test.ts'],
      setupFiles: [fileURLToPath(new URL('fixed-seed.ts', import.meta.url))],
      pool: 'forks',
      // Vitest leaves a core free; of two, that is half of the machine.
      maxWorkers: Math.max(2, availableParallelism() - 1),
      execArgv: ['--conditions=source', '--expose-gc'],
      testTimeout: 60_000,
      hookTimeout: 60_000,
      ...test,
    },
  })
}

/**
 * Tests that stand on this machine: its kernel, its disk, other processes, time as it passes. On a shared machine a deadline is missed
 * once in a while; twice in a row is a defect. The report names what passed only at the second attempt.
 */
export function machineProject(name: string, test: Record<string, unknown> = {}) {
  return project(name, { retry: 1, ...test })
}
