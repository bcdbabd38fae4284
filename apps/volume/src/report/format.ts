import { usageError } from '../exit-codes.ts'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${UNITS[unit]}`
}

/** `64MiB`, `1G`, `4096`; K, M, G and T are powers of 1024, with or without `iB`. @throws a usage error */
export function parseBytes(text: string, what: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])i?B?|B)?$/i.exec(text.trim())
  if (match === null) throw usageError(`${what}: ${text} is no number of bytes; write 64MiB, 1G or 4096`)
  const [, number, unit] = match
  const bytes = Number(number) * 1024 ** (unit === undefined ? 0 : 'KMGT'.indexOf(unit.toUpperCase()) + 1)
  if (!Number.isSafeInteger(bytes)) throw usageError(`${what}: ${text} is not a whole number of bytes below 2^53`)
  return bytes
}

/** Nanoseconds since 1970 as `2026-11-21 22:40:07`, in UTC. */
export function formatTime(nanoseconds: number): string {
  return new Date(nanoseconds / 1e6).toISOString().slice(0, 19).replace('T', ' ')
}

/** Names to the left, and what they stand for. */
export function pairs(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')
}

/** Columns of equal width; numbers, which begin with a digit, to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => {
        if (i === row.length - 1 && !/^\d/.test(cell)) return cell
        return /^\d/.test(cell) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])
      })
      .join('  ')
      .trimEnd()
  return rows.map(line).join('\n')
}

/** A name as a terminal may see it: without what would move its cursor. */
export function printable(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}
