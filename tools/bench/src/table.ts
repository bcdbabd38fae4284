import type { BenchResult, CaseResult } from './run.ts'
import type { Spread } from './statistics.ts'

/** Three digits that count, and no exponent. */
function formatNumber(value: number): string {
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
  const bases = [...new Set(bench.cases.flatMap((one) => one.baseline ?? []))]
  const header = ['', bench.unit, 'min-max', 'ratio', bases.length === 1 ? '' : 'to', ...details]
  const rows = measured.map((one) => [
    one.name,
    formatNumber(one.value!.median),
    formatRange(one.value!),
    one.ratio === undefined ? '' : formatNumber(one.ratio.median),
    one.ratio === undefined || bases.length === 1 ? '' : one.baseline!,
    ...details.map((key) => detailCell(one, key)),
  ])
  const facts = [
    `${bench.better} is better`,
    rounds === 1 ? '1 round' : `median of ${rounds} rounds`,
    ...(bases.length === 1 ? [`ratios to '${bases[0]}'`] : []),
  ]
  const lines = [`${bench.title} (${facts.join('; ')})`]
  if (rows.length > 0) lines.push(...align(header, rows))
  for (const { name, unavailable, failures } of bench.cases) {
    if (unavailable !== undefined) lines.push(`  not run: ${name}: ${unavailable}`)
    if (failures.length > 0) lines.push(`  FAILED in ${failures.length} of ${rounds}: ${name}: ${failures.at(-1)}`)
  }
  return lines.join('\n')
}

/** `120 (x4.1)` where the detail is compared. */
function detailCell({ details, detailRatios }: CaseResult, key: string): string {
  if (!(key in details)) return ''
  const ratio = key in detailRatios ? ` (x${formatNumber(detailRatios[key].median)})` : ''
  return `${formatNumber(details[key].median)}${ratio}`
}

/** Leaves out columns without any content. */
function align(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const columns = header.map((_, at) => at).filter((at) => rows.some((row) => row[at] !== ''))
  return [header, ...rows].map((row) => {
    const cells = columns.map((at) => {
      const width = Math.max(...[header, ...rows].map((each) => each[at].length))
      return at === 0 ? row[at].padEnd(width) : row[at].padStart(width)
    })
    return `  ${cells.join('  ')}`.trimEnd()
  })
}
