import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { keyOf, quickGrid, type Run, wholeGrid } from './cases.ts'
import { html, markdown, tables } from './report.ts'
import { type Results, runCase } from './run.ts'
import { difference, readSnapshot, writeSnapshot } from './snapshot.ts'

const REPORT = new URL('../REPORT.md', import.meta.url)

const HELP = `netsim: goodput and fairness of two whole stacks in virtual time, beside the snapshot

  pnpm netsim [options]

  --quick      only the cases that the tests check
  --only TEXT  only cases whose name contains TEXT
  --write      replaces snapshot.json and REPORT.md
  --html FILE  writes the report as a page, too
  --help
`

const options = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  write: { type: 'boolean', default: false },
  html: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

function readWords() {
  try {
    return parseArgs({ options }).values
  } catch (error) {
    console.error(`netsim: ${(error as Error).message}`)
    process.exit(2)
  }
}

const values = readWords()
if (values.help) {
  console.log(HELP)
  process.exit(0)
}
const before = values.write ? {} : readSnapshot()
const runs: Run[] = [...quickGrid(), ...(values.quick ? [] : wholeGrid())].filter((run) =>
  keyOf(run).includes(values.only),
)
if (runs.length === 0) {
  console.error(`netsim: no case's name contains ${values.only}`)
  process.exit(2)
}
const results: Results = {}
const started = Date.now()
for (const [i, run] of runs.entries()) {
  const key = keyOf(run)
  const result = await runCase(run)
  results[key] = result
  const known = before[key]
  const change = known === undefined ? '' : ` (${(100 * difference(known, result)).toFixed(1)} % from the snapshot)`
  console.log(`${i + 1}/${runs.length} ${key}: ${JSON.stringify(result)}${change}`)
}
console.log(`${((Date.now() - started) / 1000).toFixed(0)} s`)
if (values.write) {
  writeSnapshot(results)
  writeFileSync(REPORT, markdown(tables(results)))
}
if (values.html !== undefined) writeFileSync(values.html, html(tables(results)))
