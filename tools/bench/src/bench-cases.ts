import { parseArgs } from 'node:util'
import { endWithParent } from './case-process.ts'
import { runBenches } from './run.ts'
import { formatBench } from './table.ts'
import type { BenchCase, BenchHeading, BenchList, CaseOutput, Measurement } from './types.ts'

/**
 * Makes a bench file a program. Without arguments it runs each case in a process of its own and prints a table
 * (`--match TEXT`, `--rounds N`); `--list` prints the cases as JSON; `--case NAME` runs one here and prints its result as
 * JSON, which is also the way to profile it.
 */
export async function benchCases(
  meta: ImportMeta,
  heading: BenchHeading,
  cases: Readonly<Record<string, BenchCase>>,
): Promise<void> {
  const { values } = parseArgs({
    options: {
      list: { type: 'boolean' },
      case: { type: 'string' },
      match: { type: 'string', default: '' },
      rounds: { type: 'string', default: '1' },
    },
  })
  if (values.list) return print(listOf(heading, Object.keys(cases)))
  if (values.case !== undefined) {
    if (!Object.hasOwn(cases, values.case)) {
      throw new Error(`no case '${values.case}': there are ${Object.keys(cases).join(', ')}`)
    }
    await print(outputOf(await cases[values.case]()))
    // A case may leave workers and sockets behind.
    process.exit(0)
  }
  endWithParent()
  const file = { suite: '', path: meta.filename }
  const [result] = await runBenches([file], { match: values.match, rounds: Number(values.rounds) })
  if (result === undefined)
    throw new Error(`no case contains '${values.match}': there are ${Object.keys(cases).join(', ')}`)
  console.log(formatBench(result))
  if (result.cases.some(({ failures }) => failures.length > 0)) process.exitCode = 1
}

function listOf(heading: BenchHeading, names: readonly string[]): BenchList {
  const { title, unit, better, compare = [], baseline, unavailable } = heading
  const cases = names.map((name) => {
    const base = typeof baseline === 'function' ? baseline(name) : baseline
    const missing = unavailable?.(name)
    return {
      name,
      ...(base !== undefined && base !== name && { baseline: base }),
      ...(missing !== undefined && { unavailable: missing }),
    }
  })
  return { title, unit, better, compare, cases }
}

/** @throws when a figure is none: a measurement that divides by zero failed */
function outputOf(measurement: Measurement): CaseOutput {
  const { value, ...details } = typeof measurement === 'number' ? { value: measurement } : measurement
  for (const [name, figure] of Object.entries({ value, ...details })) {
    if (!Number.isFinite(figure)) throw new Error(`${name} is ${figure}`)
  }
  return { value, details }
}

function print(output: BenchList | CaseOutput): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${JSON.stringify(output)}\n`, () => resolve()))
}
