/**
 * Million operations per second and core of the store in process, by thread CPU time: MICA's settings, both kernels,
 * the number of keys, and two processes at once. Every case runs in a process of its own; rounds interleave the cases
 * and rotate their order, so that a slow minute of the machine hits all of them.
 *
 *   node --conditions=source bench/store.bench.ts [--rounds 3] [--only settings,keys,linear] [--json FILE]
 *                                                 [--match '8/8 0'] [--peer-command CMD]
 *
 * CMD is run as `CMD KEY_BYTES VALUE_BYTES THETA KEYS`, once per setting and round, and prints
 * `{"get": Mops, "set": Mops}`: another store, measured in the same run.
 */
import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs, promisify } from 'node:util'
import type { StoreCase, StoreCaseResult } from './store-case.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: 'settings,keys,linear' },
    json: { type: 'string' },
    match: { type: 'string', default: '' },
    'peer-command': { type: 'string' },
  },
})
const rounds = Number(options.rounds)
const script = new URL('./store-case.ts', import.meta.url).pathname
const run = promisify(execFile)

async function runCase(test: StoreCase): Promise<StoreCaseResult> {
  const { stdout } = await run(process.execPath, ['--conditions=source', '--no-warnings', script, JSON.stringify(test)])
  return JSON.parse(stdout) as StoreCaseResult
}

const base: StoreCase = {
  kernel: 'wasm',
  mode: 'cache',
  operation: 'get',
  keyBytes: 8,
  valueBytes: 8,
  theta: 0,
  keys: 1 << 20,
  burst: 128,
  packet: 16,
  operations: 1 << 20,
  samples: 3,
}

interface Row {
  readonly name: string
  readonly samples: number[]
}

const rows = new Map<string, number[]>()
function record(name: string, rate: number): void {
  const samples = rows.get(name)
  if (samples === undefined) rows.set(name, [rate])
  else samples.push(rate)
}

function median(samples: number[]): number {
  const sorted = [...samples].sort((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

const cell = (name: string) => {
  const samples = rows.get(name)
  return samples === undefined ? '-' : `${Math.max(...samples).toFixed(1)} (${median(samples).toFixed(1)})`
}

function table(title: string, header: string[], lines: string[][]): void {
  const widths = header.map((_, i) => Math.max(...[header, ...lines].map((line) => line[i].length)))
  const format = (line: string[]) =>
    line.map((text, i) => (i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join('  ')
  console.log(`\n${title}\n${format(header)}\n${widths.map((width) => '-'.repeat(width)).join('  ')}`)
  for (const line of lines) console.log(format(line))
}

const SETTINGS = [
  { keyBytes: 8, valueBytes: 8, keys: 1 << 20 },
  { keyBytes: 16, valueBytes: 64, keys: 1 << 20 },
  { keyBytes: 16, valueBytes: 100, keys: 1 << 20 },
  // Fewer keys: the log of a partition is at most 1 GiB.
  { keyBytes: 128, valueBytes: 1024, keys: 1 << 18 },
]
  .flatMap((setting) => [0, 0.99].map((theta) => ({ ...setting, theta })))
  .filter(({ keyBytes, valueBytes, theta }) => `${keyBytes}/${valueBytes} ${theta}`.match(options.match))
const OPERATIONS = ['get', 'set'] as const
const KERNELS = ['wasm', 'typescript'] as const

async function settings(): Promise<void> {
  const peer = options['peer-command']?.split(' ')
  for (let round = 0; round < rounds; round++) {
    const order = [...SETTINGS.slice(round), ...SETTINGS.slice(0, round)]
    for (const setting of order) {
      const name = `${setting.keyBytes}/${setting.valueBytes} ${setting.theta}`
      for (const operation of OPERATIONS) {
        for (const kernel of KERNELS) {
          const result = await runCase({ ...base, ...setting, operation, kernel })
          record(`${name} ${operation} ${kernel}`, result.best)
        }
      }
      if (peer !== undefined) {
        const parameters = [setting.keyBytes, setting.valueBytes, setting.theta, setting.keys].map(String)
        const result = JSON.parse(execFileSync(peer[0], [...peer.slice(1), ...parameters], { encoding: 'utf8' }))
        for (const operation of OPERATIONS) {
          if (typeof result[operation] === 'number') record(`${name} ${operation} peer`, result[operation])
        }
      }
    }
  }
  const lines = SETTINGS.flatMap(({ keyBytes, valueBytes, theta }) =>
    OPERATIONS.map((operation) => {
      const name = `${keyBytes}/${valueBytes} ${theta} ${operation}`
      const ours = rows.get(`${name} wasm`) ?? []
      const theirs = rows.get(`${name} peer`)
      const ratio = theirs === undefined ? '-' : (median(ours) / median(theirs)).toFixed(2)
      return [name, cell(`${name} wasm`), cell(`${name} typescript`), cell(`${name} peer`), ratio]
    }),
  )
  table('Mops per core: best (median) of rounds', ['key/value theta', 'wasm', 'typescript', 'peer', 'wasm/peer'], lines)
}

async function keys(): Promise<void> {
  const counts = [1e4, 1e5, 1e6, 1e7]
  for (let round = 0; round < rounds; round++) {
    for (const count of counts) {
      for (const operation of OPERATIONS) {
        const result = await runCase({ ...base, keys: count, operation })
        record(`keys ${count} ${operation}`, result.best)
      }
    }
  }
  const lines = counts.map((count) => [
    String(count),
    ...OPERATIONS.map((operation) => cell(`keys ${count} ${operation}`)),
  ])
  table('Mops by number of keys, 8/8 uniform, wasm', ['keys', 'get', 'set'], lines)
}

async function linear(): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const operation of OPERATIONS) {
      const alone = await runCase({ ...base, operation })
      const both = await Promise.all([runCase({ ...base, operation }), runCase({ ...base, operation })])
      record(`alone ${operation}`, alone.best)
      record(`two ${operation}`, both[0].best + both[1].best)
    }
  }
  const lines = OPERATIONS.map((operation) => {
    const ratio = median(rows.get(`two ${operation}`) ?? []) / median(rows.get(`alone ${operation}`) ?? [])
    return [operation, cell(`alone ${operation}`), cell(`two ${operation}`), ratio.toFixed(2)]
  })
  table('Mops of one process and of two at once, 8/8 uniform, wasm', ['', 'one', 'two', 'ratio'], lines)
}

const parts = { settings, keys, linear }
for (const part of options.only.split(',')) await parts[part as keyof typeof parts]()
const machine = { cpu: cpus()[0].model, cores: cpus().length, node: process.version, load: loadavg() }
console.log(`\n${JSON.stringify(machine)}`)
if (options.json !== undefined) {
  const results: Row[] = [...rows].map(([name, samples]) => ({ name, samples }))
  writeFileSync(
    options.json,
    `${JSON.stringify({ machine, unit: 'million operations per CPU second', results }, null, 2)}\n`,
  )
}
