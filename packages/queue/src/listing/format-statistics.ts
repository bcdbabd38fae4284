/** Counters by group, as `NetworkLibOS.statistics()` gives them. */
type Statistics = Readonly<Record<string, Readonly<Record<string, number>>>>

export interface StatisticsFormat {
  /** Show those that have counted nothing too; false. */
  readonly zeros?: boolean
  /** Only these groups, in this order; all, in their own. */
  readonly groups?: readonly string[]
}

/** `NetworkLibOS.statistics()` as text, as of `netstat -s`: a heading for each group, and a line for each counter. */
export function formatStatistics(statistics: Statistics, { zeros = false, groups }: StatisticsFormat = {}): string {
  const sections: string[] = []
  for (const group of groups ?? Object.keys(statistics)) {
    const counters = Object.entries(statistics[group] ?? {}).filter(([, value]) => zeros || value !== 0)
    if (counters.length === 0) continue
    const width = Math.max(...counters.map(([name]) => name.length))
    const digits = Math.max(...counters.map(([, value]) => String(value).length))
    const lines = counters.map(([name, value]) => `  ${name.padEnd(width)}  ${String(value).padStart(digits)}`)
    sections.push([`${group}:`, ...lines].join('\n'))
  }
  return sections.join('\n')
}
