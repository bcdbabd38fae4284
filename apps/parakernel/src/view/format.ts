/** `12.3M`, `456k`, `7.89`: three digits that matter. */
export function formatNumber(value: number): string {
  if (value >= 1e9) return `${digits(value / 1e9)}G`
  if (value >= 1e6) return `${digits(value / 1e6)}M`
  if (value >= 1e3) return `${digits(value / 1e3)}k`
  return Number.isInteger(value) ? `${value}` : digits(value)
}

/** A duration in nanoseconds, in the unit that reads best. */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds >= 1e9) return `${digits(nanoseconds / 1e9)}s`
  if (nanoseconds >= 1e6) return `${digits(nanoseconds / 1e6)}ms`
  if (nanoseconds >= 1e3) return `${digits(nanoseconds / 1e3)}us`
  return `${Math.round(nanoseconds)}ns`
}

export function formatShare(share: number): string {
  return `${(100 * share).toFixed(1)}%`
}

/** Seconds as `3d 4h`, `2h 5m`, `1m 7s`, `12s`. */
export function formatAge(seconds: number): string {
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [Math.floor(seconds) % 60, 's'],
  ]
  const first = Math.max(
    0,
    parts.findIndex(([count]) => count > 0),
  )
  const shown = seconds < 1 ? parts.slice(3) : parts.slice(first, first + 2)
  return shown.map(([count, unit]) => `${count}${unit}`).join(' ')
}

/** A name as a terminal may see it: without what would move its cursor. */
export function printable(name: string): string {
  return name.replaceAll(/\p{C}/gu, '?')
}

/** Columns of equal width; the numbered ones to the right. */
export function columns(rows: readonly (readonly string[])[], right: (column: number) => boolean): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)))
  return rows.map((row) =>
    row
      .map((cell, i) => (right(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd(),
  )
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}
