import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defineCommand, runMain } from 'citty'
import { endWithParent } from './case-process.ts'
import { describeMachine, load } from './machine.ts'
import { type BenchFile, type BenchResult, runBenches } from './run.ts'
import { ROOT, SUITES } from './suites.ts'
import { formatBench } from './table.ts'

const names = Object.keys(SUITES)

const command = defineCommand({
  meta: {
    name: 'bench',
    description: `Measures, each case in a process of its own, in rounds whose order rotates. Suites: ${names.join(', ')}`,
  },
  args: {
    suite: { type: 'string', description: 'suites to run, with commas between', default: names.join(',') },
    match: { type: 'string', description: 'only cases whose name or title contains this', default: '' },
    rounds: { type: 'string', description: 'times that each case runs', default: '5' },
    json: { type: 'string', description: 'file for the results; bench-results/TIME.json when absent' },
  },
  async run({ args }) {
    const rounds = Number(args.rounds)
    if (!Number.isInteger(rounds) || rounds < 1) return refuse(`--rounds ${args.rounds}: a whole number from 1`)
    const files: BenchFile[] = []
    for (const suite of args.suite.split(',')) {
      if (!Object.hasOwn(SUITES, suite)) return refuse(`there is no suite '${suite}': there are ${names.join(', ')}`)
      for (const path of SUITES[suite]) files.push({ suite, path: join(ROOT, path) })
    }
    await measure(files, { rounds, match: args.match, json: args.json })
  },
})

async function measure(files: BenchFile[], options: { rounds: number; match: string; json: string | undefined }) {
  const { rounds, match } = options
  const machine = describeMachine()
  const started = new Date()
  const before = load()
  const json = options.json ?? join(ROOT, 'bench-results', `${started.toISOString().replaceAll(':', '-')}.json`)
  mkdirSync(dirname(json), { recursive: true })
  const write = (benches: readonly BenchResult[]) => {
    const times = { started, finished: new Date(), loadBefore: before, loadAfter: load() }
    const relative = benches.map((bench) => ({ ...bench, path: bench.path.slice(ROOT.length) }))
    writeFileSync(json, `${JSON.stringify({ machine, ...times, rounds, benches: relative }, null, 2)}\n`)
  }
  const live = process.stderr.isTTY
  const results = await runBenches(files, {
    rounds,
    match,
    onCase: (round, { suite }, name) => {
      if (live) process.stderr.write(`\r\x1b[Kround ${round + 1} of ${rounds}: ${suite}: ${name}`)
    },
    // A run that is stopped leaves the rounds that it finished.
    onRound: (benches, round) => {
      write(benches)
      if (!live) console.error(`bench: round ${round + 1} of ${rounds} done`)
    },
  })
  if (live) process.stderr.write('\r\x1b[K')
  for (const bench of results) console.log(`${formatBench(bench)}\n`)
  if (results.length === 0) return refuse(`no case matches '${match}'`)
  const { cpu, cpus, pinned, allowed, node, commit } = machine
  console.log(
    `${cpu}, ${cpus} CPUs (${pinned ? `pinned to ${allowed}` : 'not pinned'}), Node ${node}, commit ${commit}`,
  )
  console.log(`load ${before.join(' ')} before, ${load().join(' ')} after; results in ${json}`)
  if (results.some(({ cases }) => cases.some(({ failures }) => failures.length > 0))) process.exitCode = 1
}

function refuse(message: string): void {
  console.error(`bench: ${message}`)
  process.exitCode = 2
}

endWithParent()
await runMain(command)
