import { defineProject } from 'vitest/config'

/** Tests run from source: the `source` export condition points every workspace import at `src`. */
export function project(name: string, test: Record<string, unknown> = {}) {
  return defineProject({
    resolve: { conditions: ['source'] },
    ssr: { resolve: { conditions: ['source', 'node', 'import'], externalConditions: ['source', 'node'] } },
    test: {
      name,
      include: ['test/**/*.test.ts'],
      pool: 'forks',
      execArgv: ['--conditions=source', '--expose-gc'],
      testTimeout: 30_000,
      hookTimeout: 30_000,
      ...test,
    },
  })
}
