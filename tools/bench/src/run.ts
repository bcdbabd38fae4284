import { listCases, runCase } from './case-process.ts'
import { rotate, type Spread, spread } from './statistics.ts'
import type { BenchList, CaseOutput } from './types.ts'

export interface BenchFile {
  readonly suite: string
  readonly path: string
}

export interface CaseResult {
  readonly name: string
  readonly unavailable?: string
  readonly baseline?: string
  /** One a round; null where the case failed. */
  readonly samples: readonly (number | null)[]
  readonly value?: Spread
  /** Of the values that case and baseline had in the same rounds: this one's divided by the baseline's. */
  readonly ratio?: Spread
  readonly details: Readonly<Record<string, Spread>>
  /** The same for the details that the file compares. */
  readonly detailRatios: Readonly<Record<string, Spread>>
  readonly failures: readonly string[]
}

export interface BenchResult extends BenchFile, Pick<BenchList, 'title' | 'unit' | 'better'> {
  readonly cases: readonly CaseResult[]
}

export interface RunOptions {
  readonly rounds: number
  /** Only cases whose name, or whose file's title, contains this. */
  readonly match: string
  /** Before each case. */
  readonly onCase?: (round: number, file: BenchFile, name: string) => void
  /** After each round, with all results until then. */
  readonly onRound?: (results: readonly BenchResult[], round: number) => void
}

interface Bench {
  readonly file: BenchFile
  readonly list: BenchList
  readonly outputs: Map<string, Outcome[]>
}

/**
 * Runs every case once a round, each in a process of its own. The order of files and of the cases in each rotates, so that a
 * slow minute of the machine does not always hit the same; cases of one file stay neighbours, since they are compared.
 */
export async function runBenches(files: readonly BenchFile[], options: RunOptions): Promise<BenchResult[]> {
  const benches: Bench[] = []
  for (const file of files) {
    const all = await listCases(file.path).catch(() => unlisted(file))
    const cases = all.cases.filter(({ name }) => `${all.title} ${name}`.includes(options.match))
    if (cases.length > 0) benches.push({ file, list: { ...all, cases }, outputs: new Map() })
  }
  for (let round = 0; round < options.rounds; round++) {
    for (const { file, list, outputs } of rotate(benches, round)) {
      const able = list.cases.filter(({ unavailable }) => unavailable === undefined)
      for (const { name } of rotate(able, round)) {
        options.onCase?.(round, file, name)
        const output = await runCase(file.path, name).catch((error: Error) => error)
        outputs.set(name, [...(outputs.get(name) ?? []), output])
      }
    }
    options.onRound?.(benches.map(resultOf), round)
  }
  return benches.map(resultOf)
}

/** A file that does not even load is a case that fails, with its error as the reason. */
function unlisted({ path }: BenchFile): BenchList {
  return { title: path, unit: '', better: 'less', compare: [], cases: [{ name: 'the whole file' }] }
}

function resultOf({ file, list, outputs }: Bench): BenchResult {
  const { title, unit, better, compare } = list
  const cases = list.cases.map(({ name, baseline, unavailable }): CaseResult => {
    const own = outputs.get(name) ?? []
    const base = baseline === undefined ? [] : (outputs.get(baseline) ?? [])
    const good = own.filter(isOutput)
    const keys = [...new Set(good.flatMap(({ details }) => Object.keys(details)))]
    const value = spread(good.map((output) => output.value))
    const ratio = ratioOf(own, base, (output) => output.value)
    return {
      name,
      ...(unavailable !== undefined && { unavailable }),
      ...(baseline !== undefined && { baseline }),
      samples: own.map((output) => (isOutput(output) ? output.value : null)),
      ...(value !== undefined && { value }),
      ...(ratio !== undefined && { ratio }),
      details: spreads(keys, (key) => spread(good.flatMap((output) => output.details[key] ?? []))),
      detailRatios: spreads(compare, (key) => ratioOf(own, base, (output) => output.details[key])),
      failures: own.flatMap((output) => (isOutput(output) ? [] : [output.message])),
    }
  })
  return { ...file, title, unit, better, cases }
}

type Outcome = CaseOutput | Error

const isOutput = (outcome: Outcome | undefined): outcome is CaseOutput =>
  outcome !== undefined && !(outcome instanceof Error)

/** Of the rounds in which both were measured: one divided by the other. */
function ratioOf(
  own: Outcome[],
  base: Outcome[],
  pick: (output: CaseOutput) => number | undefined,
): Spread | undefined {
  const ratios = own.flatMap((outcome, round) => {
    const other = base[round]
    if (!isOutput(outcome) || !isOutput(other)) return []
    const [above, below] = [pick(outcome), pick(other)]
    return above === undefined || below === undefined ? [] : [above / below]
  })
  return spread(ratios)
}

function spreads(keys: readonly string[], of: (key: string) => Spread | undefined): Record<string, Spread> {
  const all: Record<string, Spread> = {}
  for (const key of keys) {
    const one = of(key)
    if (one !== undefined) all[key] = one
  }
  return all
}
