import { readFileSync, writeFileSync } from 'node:fs'
import type { Result, Results } from './run.ts'

const FILE = new URL('../snapshot.json', import.meta.url)

export function readSnapshot(): Results {
  return JSON.parse(readFileSync(FILE, 'utf8')) as Results
}

/** Keys in order, one case a line, so that a change reads well. */
export function writeSnapshot(results: Results): void {
  const fields = (result: Result) =>
    Object.entries(result)
      .map(([name, value]) => `"${name}": ${value}`)
      .join(', ')
  const lines = Object.keys(results)
    .sort()
    .map((key) => `  ${JSON.stringify(key)}: { ${fields(results[key])} }`)
  writeFileSync(FILE, `{\n${lines.join(',\n')}\n}\n`)
}

/**
 * How far apart two results are, as a share of the greater for goodput and in their own unit for fairness. Any change of the stack
 * reorders what happens by chance, so that cells with loss differ by some per cent without a reason.
 */
export function difference(a: Result, b: Result): number {
  if ('goodput' in a && 'goodput' in b) {
    const greater = Math.max(a.goodput, b.goodput)
    return greater === 0 ? 0 : Math.abs(a.goodput - b.goodput) / greater
  }
  if ('index' in a && 'index' in b) {
    return Math.max(Math.abs(a.index - b.index), Math.abs(a.utilisation - b.utilisation))
  }
  return Number.POSITIVE_INFINITY
}
