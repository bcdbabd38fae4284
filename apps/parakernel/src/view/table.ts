import { columns, formatDuration, formatNumber, formatShare, printable } from './format.ts'
import type { Row } from './rates.ts'

export interface Column {
  readonly title: string
  /** For sorting. */
  readonly value: (row: Row) => number | string
  readonly text: (row: Row) => string
  readonly isText?: boolean
}

const unknown = (value: number | undefined, format: (value: number) => string) =>
  value === undefined ? '-' : format(value)

const number = (title: string, of: (row: Row) => number): Column => ({
  title,
  value: of,
  text: (row) => formatNumber(of(row)),
})

/** In the order of the screen. */
export const COLUMNS: readonly Column[] = [
  { title: 'PID', value: ({ pid }) => pid, text: ({ pid }) => `${pid}` },
  {
    title: 'MACHINE',
    value: ({ machine, partition }) => `${machine}/${String(partition).padStart(3, '0')}`,
    text: ({ machine, partition, state }) =>
      `${printable(machine)}/${partition}${state === 'running' ? '' : ' (ended)'}`,
    isText: true,
  },
  { title: 'CORE', value: ({ core }) => core ?? -1, text: ({ core }) => unknown(core, String) },
  { title: 'CPU', value: ({ cpu }) => cpu ?? -1, text: ({ cpu }) => unknown(cpu, formatShare) },
  { title: 'WAIT', value: ({ cpuWait }) => cpuWait ?? -1, text: ({ cpuWait }) => unknown(cpuWait, formatShare) },
  number('ROUNDS/s', ({ rounds }) => rounds),
  number('SLEEPS/s', ({ sleeps }) => sleeps),
  number('BATCH', ({ batch }) => batch),
  number('B99', ({ batch99 }) => Math.floor(batch99)),
  number('RX/s', ({ receive }) => receive),
  number('TX/s', ({ transmit }) => transmit),
  number('DROPS/s', ({ drops }) => drops),
  number('DEPTH', ({ depth }) => depth),
  { title: 'P50', value: ({ p50 }) => p50, text: ({ p50 }) => formatDuration(p50) },
  { title: 'P99', value: ({ p99 }) => p99, text: ({ p99 }) => formatDuration(p99) },
  number('STALLS', ({ stalls }) => stalls),
]

/** By which column, and whether the largest come first. */
export interface Order {
  readonly column: number
  readonly isDescending: boolean
}

/** As machines were started. */
export const UNSORTED: Order = { column: -1, isDescending: false }

export function sorted(rows: readonly Row[], { column, isDescending }: Order): readonly Row[] {
  if (column < 0) return rows
  const { value } = COLUMNS[column]
  const sign = isDescending ? -1 : 1
  return rows.toSorted((one, other) => {
    const [a, b] = [value(one), value(other)]
    return a === b ? 0 : a < b ? -sign : sign
  })
}

/** The heading, then a line for each row. The column that sorts has an arrow. */
export function tableOf(rows: readonly Row[], order: Order = UNSORTED): string[] {
  const titles = COLUMNS.map(({ title }, i) =>
    i === order.column ? `${title}${order.isDescending ? 'v' : '^'}` : title,
  )
  const cells = sorted(rows, order).map((row) => COLUMNS.map(({ text }) => text(row)))
  return columns([titles, ...cells], (column) => COLUMNS[column].isText !== true)
}

/** Where packets were dropped and why, the most first. */
export function dropLines(rows: readonly Row[]): string[] {
  const drops = rows.flatMap((row) =>
    Object.entries(row.dropsBy).map(([what, rate]) => ({ what: `${row.machine}/${row.partition}  ${what}`, rate })),
  )
  return drops
    .sort((one, other) => other.rate - one.rate)
    .map(({ what, rate }) => `${formatNumber(rate)}/s  ${printable(what)}`)
}
