import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineProject } from 'vitest/config'

/**
 * Threads that load TypeScript each run Node's type stripper, a WebAssembly module that calls JavaScript. V8 13.6 recompiles the wrappers of
 * such calls when they are hot, in a cache that all threads of a process share, and when two do so at once it ends the process now and
 * then with "Check failed: jit_page.has_value()". Built packages load no TypeScript.
 */
const NO_WRAPPER_TIER_UP = '--wasm-wrapper-tiering-budget=1000000000'

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
      execArgv: ['--conditions=source', '--expose-gc', NO_WRAPPER_TIER_UP],
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
