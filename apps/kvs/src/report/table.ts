import type { RunResult } from '../run/result.ts'
import { formatCount, formatDuration, formatShare } from './format.ts'

/** Rows as aligned columns; the first column to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])))
        .join('  '),
    )
    .join('\n')
}

/** What a run prints at its end. */
export function resultTable(result: RunResult): string {
  const { load, latency, seconds, partitions, device } = result
  const lines = [
    result.title,
    '',
    table([
      ['operations', formatCount(load.operations), `${formatCount(load.operations / seconds)}/s`],
      ['reads', formatCount(load.reads), `${formatShare(load.hits, load.reads)} hits`],
      ['writes', formatCount(load.writes), ''],
      ['wrong reads', `${load.wrong + load.stale}`, load.staleAfterRetry > 0 ? `${load.staleAfterRetry} old` : ''],
      ...(load.checked + load.checkMisses > 0
        ? [['read back', formatCount(load.checked), `${load.checkMisses} not there`]]
        : []),
      ['retries', formatCount(load.retries), `${load.timeouts} timeouts`],
    ]),
    '',
    table([
      ['latency', 'p50', 'p90', 'p99', 'p99.9', 'max'],
      ['', ...[latency.p50, latency.p90, latency.p99, latency.p999, latency.max].map(formatDuration)],
    ]),
  ]
  if (partitions.length > 0) {
    const rows = partitions.map(({ store, server }, i) => [
      `${i}`,
      formatCount(store.requests),
      formatShare(store.hits, store.hits + store.misses),
      formatCount(store.items),
      formatCount(store.indexEvictions + store.logEvictions),
      formatCount(server.handedOver),
      formatCount(server.noFrame + server.replyDropped),
    ])
    const header = ['partition', 'requests', 'hits', 'items', 'evicted', 'handed over', 'drops']
    lines.push('', table([header, ...rows]))
  }
  if (device !== undefined) {
    // What the filter keeps out is for others: groups that nobody here has joined.
    const isDrop = (name: string) => /drop|full|invalid|refus/i.test(name) && name !== 'rxDroppedFilter'
    const drops = Object.entries(device).filter(([name, value]) => isDrop(name) && value > 0)
    lines.push('', drops.length === 0 ? 'device drops: none' : `device: ${drops.map((d) => d.join(' ')).join(', ')}`)
  }
  return lines.join('\n')
}
