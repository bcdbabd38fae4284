import type { BenchResult, CaseResult } from './run.ts'
import type { Spread } from './statistics.ts'

/** Three digits that count, and no exponent. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const size = Math.abs(value)
  if (size !== 0 && size < 0.0005) return '0.000'
  if (Number.isInteger(value) || size >= 100) return value.toFixed(0)
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3)
}

const formatRange = ({ min, max }: Spread) => (min === max ? '' : `${formatNumber(min)}-${formatNumber(max)}`)

/** A table of one bench: value, spread, ratio, details, and what could not be measured, with its reason. */
export function formatBench(bench: BenchResult): string {
  const measured = bench.cases.filter(({ value }) => value !== undefined)
  const rounds = Math.max(0, ...bench.cases.map(({ samples }) => samples.length))
  const details = [...new Set(measured.flatMap((one) => Object.keys(one.details)))]
  const ratios = measured.some(({ ratio }) => ratio !== undefined)
  const header = ['', bench.unit, 'min-max', ...(ratios ? ['ratio', 'to'] : []), ...details]
  const rows = measured.map((one) => [
    one.name,
    formatNumber(one.value!.median),
    formatRange(one.value!),
    ...(ratios ? ratioCells(one, bench) : []),
    ...details.map((key) => (key in one.details ? formatNumber(one.details[key].median) : '')),
  ])
  const lines = [
    `${bench.title} (${bench.better} is better; ${rounds === 1 ? '1 round' : `median of ${rounds} rounds`})`,
  ]
  if (rows.length > 0) lines.push(...align([header, ...rows]))
  for (const { name, unavailable, failures } of bench.cases) {
    if (unavailable !== undefined) lines.push(`  not run: ${name}: ${unavailable}`)
    if (failures.length > 0) lines.push(`  FAILED in ${failures.length} of ${rounds}: ${name}: ${failures.at(-1)}`)
  }
  return lines.join('\n')
}

/** Names the baseline only where it is not the same for all. */
function ratioCells({ ratio, baseline }: CaseResult, bench: BenchResult): string[] {
  const bases = new Set(bench.cases.flatMap((one) => one.baseline ?? []))
  if (ratio === undefined || baseline === undefined) return ['', '']
  return [formatNumber(ratio.median), bases.size === 1 || baseline.length < 16 ? baseline : baseline.slice(0, 16)]
}

function align(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0].map((_, at) => at).filter((at) => rows.some((row) => row[at] !== ''))
  const width = columns.map((at) => Math.max(...rows.map((row) => row[at].length)))
  return rows.map((row) => {
    const cells = columns.map((at, i) => (at === 0 ? row[at].padEnd(width[i]) : row[at].padStart(width[i])))
    return `  ${cells.join('  ')}`.trimEnd()
  })
}
