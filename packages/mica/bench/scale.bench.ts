// How the store scales: with the number of keys, and over two processes at once, which needs two free cores.
import { fileURLToPath } from 'node:url'
import { type BenchCase, benchCases, runCase } from '@parakernel/tool-bench'
import { BASE, runStoreCase } from './store-case.ts'

const self = fileURLToPath(import.meta.url)
const cases: Record<string, BenchCase> = {}
const baselines = new Map<string, string>()
for (const operation of ['get', 'set'] as const) {
  for (const keys of [1e4, 1e5, 1e6, 1e7]) {
    cases[`${operation}, ${keys} keys`] = () => runStoreCase({ ...BASE, keys, operation })
    if (keys !== 1e4) baselines.set(`${operation}, ${keys} keys`, `${operation}, 10000 keys`)
  }
}
for (const operation of ['get', 'set'] as const) {
  const alone = `${operation}, one process`
  cases[alone] = () => runStoreCase({ ...BASE, operation })
  cases[`${operation}, two processes together`] = async () => {
    const both = await Promise.all([runCase(self, alone), runCase(self, alone)])
    return both[0].value + both[1].value
  }
  baselines.set(`${operation}, two processes together`, alone)
}

await benchCases(
  import.meta,
  {
    title: 'store in process: number of keys, and two processes',
    unit: 'M operations/s',
    better: 'more',
    baseline: (name) => baselines.get(name),
  },
  cases,
)
