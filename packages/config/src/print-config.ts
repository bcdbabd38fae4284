import { formatOrigin } from './problems/config-error.ts'
import type { ResolvedConfig } from './settings/resolved.ts'

/** The values of a config with the origin of each, a line a value: what `--print-config` prints. */
export function printConfig({ values, origins, setAside, file }: ResolvedConfig): string {
  const rows = [...values].map(([path, value]) => {
    const origin = origins.get(path)
    return [path, JSON.stringify(value), origin === undefined ? '' : formatOrigin(origin)]
  })
  const unused = setAside.map(({ path, value, origin }) => [path, JSON.stringify(value), formatOrigin(origin)])
  const lines = [`# config file: ${file ?? 'none'}`, ...table(rows)]
  if (unused.length > 0) lines.push('# set aside: another libOS or backend was chosen', ...table(unused))
  return lines.join('\n')
}

function table(rows: readonly string[][]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column].length))
  const [first, second] = [width(0), Math.min(width(1), 40)]
  return rows.map(([path, value, origin]) => `${path.padEnd(first)}  ${value.padEnd(second)}  ${origin}`.trimEnd())
}
