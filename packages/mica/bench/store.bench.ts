/**
 * The store in process, on one core: MICA's settings, both kernels. BENCH_STORE_PEER names a command of another store to
 * compare with in the same run; it is called as `COMMAND KEY_BYTES VALUE_BYTES THETA KEYS` and prints
 * `{"get": Mops, "set": Mops}`.
 */
import { execFileSync } from 'node:child_process'
import { type BenchCase, benchCases } from '@parakernel/tool-bench'
import { BASE, runStoreCase } from './store-case.ts'

const SETTINGS = [
  { keyBytes: 8, valueBytes: 8, keys: 1 << 20 },
  { keyBytes: 16, valueBytes: 64, keys: 1 << 20 },
  { keyBytes: 16, valueBytes: 100, keys: 1 << 20 },
  // Fewer keys: the log of a partition is at most 1 GiB.
  { keyBytes: 128, valueBytes: 1024, keys: 1 << 18 },
]
const peer = process.env['BENCH_STORE_PEER']?.split(' ')

const cases: Record<string, BenchCase> = {}
const baselines = new Map<string, string>()
for (const { keyBytes, valueBytes, keys } of SETTINGS) {
  for (const theta of [0, 0.99]) {
    for (const operation of ['get', 'set'] as const) {
      const name = `${keyBytes}/${valueBytes} ${theta === 0 ? 'uniform' : 'zipf'} ${operation}`
      for (const kernel of ['wasm', 'typescript'] as const) {
        cases[`${name}, ${kernel}`] = () =>
          runStoreCase({ ...BASE, keyBytes, valueBytes, keys, theta, operation, kernel })
        if (peer !== undefined) baselines.set(`${name}, ${kernel}`, `${name}, peer`)
      }
      if (peer === undefined) baselines.set(`${name}, typescript`, `${name}, wasm`)
      else cases[`${name}, peer`] = () => runPeer(peer, [keyBytes, valueBytes, theta, keys])[operation]
    }
  }
}

function runPeer([file, ...words]: readonly string[], parameters: readonly number[]): { get: number; set: number } {
  return JSON.parse(execFileSync(file, [...words, ...parameters.map(String)], { encoding: 'utf8' }))
}

await benchCases(
  import.meta,
  {
    title: 'store in process, one core',
    unit: 'M operations/s',
    better: 'more',
    baseline: (name) => baselines.get(name),
  },
  cases,
)
