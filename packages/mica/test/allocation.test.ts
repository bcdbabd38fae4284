import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import type { MicaStatistics } from '../src/index.ts'
import { KERNELS } from './support/harness.ts'

describe.each(KERNELS)('the batch path, %s kernel', (kernel) => {
  it.each([8, 100, 400])('allocates nothing in a million requests with values of %i bytes', (valueBytes) => {
    const output = execFileSync(
      process.execPath,
      [
        '--conditions=source',
        '--expose-gc',
        '--no-warnings',
        new URL('./support/steady-state.ts', import.meta.url).pathname,
        kernel,
        String(valueBytes),
      ],
      { encoding: 'utf8' },
    )
    const { collections, grown, statistics } = JSON.parse(output) as {
      collections: number
      grown: number
      statistics: MicaStatistics
    }
    expect(collections).toBe(0)
    // Below a tenth of a byte a request: what the two calls to memoryUsage leave.
    expect(grown).toBeLessThan(100_000)
    expect(statistics.requests).toBeGreaterThan(3_000_000)
    expect(statistics.hits).toBeGreaterThan(100_000)
    if (valueBytes === 400) expect(statistics.logEvictions).toBeGreaterThan(100_000)
  })
})
