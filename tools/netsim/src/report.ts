import {
  BUFFERS,
  CONTROLS,
  FLOWS,
  fairnessKey,
  goodputKey,
  LARGE_BUFFER,
  LOSSES,
  REORDERINGS,
  ROUND_TRIPS,
} from './cases.ts'
import type { GoodputCase } from './goodput.ts'
import type { Results } from './run.ts'

/** smoltcp's snapshot at 32 KiB and 100 ms, in kB/s; its test sends without congestion control. */
const SMOLTCP: readonly (readonly [loss: number, rate: number])[] = [
  [0, 323],
  [0.01, 220],
  [0.05, 77],
  [0.1, 38],
  [0.2, 6],
]

export interface Table {
  readonly title: string
  readonly text: string
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const percent = (share: number) => `${Number((share * 100).toFixed(1))} %`
const size = (bytes: number) => (bytes >= 1024 ? `${bytes / 1024} KiB` : `${bytes} B`)

/** kB/s with three digits. */
function rate(results: Results, changes: Partial<GoodputCase>): string {
  const result = results[goodputKey(changes)]
  if (result === undefined || !('goodput' in result)) return '-'
  const value = result.goodput / 1000
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

/**
 * Average goodput that RFC 5681's additive increase and multiplicative decrease can have at this loss (Mathis et al., 1997):
 * 1.22 MSS / (RTT sqrt(p)), and never more than a window a round trip. kB/s.
 */
export function renoBound(loss: number, roundTrip: number, buffer: number): number {
  const window = buffer / roundTrip
  return loss === 0 ? window : Math.min(window, (1.22 * 1448) / (roundTrip * Math.sqrt(loss)))
}

export function tables(results: Results): Table[] {
  const comparison: Table = {
    title: 'Beside smoltcp',
    text:
      '32 KiB of buffer, 100 ms, kB/s. The window alone bounds it by 328. smoltcp sends without congestion control in its test, so that `none` is ' +
      'the like of it; what congestion control allows at all at a loss is in the last column (RFC 5681, without timeouts).',
    head: ['loss', 'smoltcp', ...CONTROLS, 'bound of RFC 5681'],
    rows: SMOLTCP.map(([loss, theirs]) => [
      percent(loss),
      String(theirs),
      ...CONTROLS.map((congestionControl) => rate(results, { congestionControl, loss })),
      renoBound(loss, 100, 32_768).toFixed(0),
    ]),
  }
  const byBuffer = CONTROLS.map((congestionControl) => ({
    title: `Buffer and loss, ${congestionControl}`,
    text: 'kB/s at 100 ms, the same loss for data and acknowledgments.',
    head: ['buffer', ...LOSSES.map(percent)],
    rows: BUFFERS.map((buffer) => [
      size(buffer),
      ...LOSSES.map((loss) => rate(results, { congestionControl, buffer, loss })),
    ]),
  }))
  const byRoundTrip: Table = {
    title: 'Round trip and loss, cubic',
    text: `kB/s, ${size(LARGE_BUFFER)} of buffer.`,
    head: ['round trip', ...LOSSES.map(percent)],
    rows: ROUND_TRIPS.map((roundTrip) => [
      `${roundTrip} ms`,
      ...LOSSES.map((loss) => rate(results, { buffer: LARGE_BUFFER, roundTrip, loss })),
    ]),
  }
  const byReordering: Table = {
    title: 'Reordering',
    text: `kB/s, ${size(LARGE_BUFFER)} of buffer; a reordered packet is a quarter of a round trip late.`,
    head: ['control', 'round trip', 'loss', ...REORDERINGS.map((reorder) => `${percent(reorder)} late`)],
    rows: CONTROLS.flatMap((congestionControl) =>
      [10, 100].flatMap((roundTrip) =>
        [0, 0.01].map((loss) => [
          congestionControl,
          `${roundTrip} ms`,
          percent(loss),
          ...REORDERINGS.map((reorder) =>
            rate(results, { congestionControl, buffer: LARGE_BUFFER, roundTrip, loss, reorder }),
          ),
        ]),
      ),
    ),
  }
  const fair: Table = {
    title: 'Fairness',
    text: "Flows through one bottleneck of 200 Mb/s with 40 ms of drop-tail queue, 20 ms away, 20 s. Jain's index, use of the bottleneck, packets dropped by it.",
    head: ['flows', ...['cubic', 'newreno'].flatMap((name) => [`${name}: index`, 'use', 'drops'])],
    rows: FLOWS.map((flows) => [
      String(flows),
      ...(['cubic', 'newreno'] as const).flatMap((congestionControl) => {
        const result = results[fairnessKey(congestionControl, flows)]
        if (result === undefined || !('index' in result)) return ['-', '-', '-']
        return [result.index.toFixed(3), percent(result.utilisation), percent(result.drops)]
      }),
    ]),
  }
  return [comparison, ...byBuffer, byRoundTrip, byReordering, fair]
}

export function markdown(all: readonly Table[]): string {
  const parts = all.map(({ title, text, head, rows }) => {
    const widths = head.map((cell, column) => Math.max(3, cell.length, ...rows.map((row) => row[column].length)))
    const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`
    const rule = line(widths.map((width) => '-'.repeat(width)))
    return [`## ${title}`, text, [line(head), rule, ...rows.map(line)].join('\n')].join('\n\n')
  })
  return `# Goodput and fairness in virtual time\n\nWritten by \`pnpm netsim --write\`.\n\n${parts.join('\n\n')}\n`
}

export function html(all: readonly Table[]): string {
  const plain = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const cells = (tag: string, row: readonly string[]) => row.map((cell) => `<${tag}>${plain(cell)}</${tag}>`).join('')
  const body = all.map(({ title, text, head, rows }) => {
    const lines = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n')
    return `<h2>${plain(title)}</h2>\n<p>${plain(text)}</p>\n<table>\n<tr>${cells('th', head)}</tr>\n${lines}\n</table>`
  })
  const style =
    'body{font:15px sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ccc}'
  return `<!doctype html>\n<meta charset="utf-8">\n<title>Goodput and fairness in virtual time</title>\n<style>${style}</style>\n${body.join('\n')}\n`
}
