import { readFileSync } from 'node:fs'
import { EXAMPLES } from '../../src/catalogue.ts'

/** What an example prints on every backend. */
export function goldenOf(name: string): string {
  return readFileSync(new URL(`../transcripts/${name}.txt`, import.meta.url), 'utf8')
}

/** Transcripts of ends that ran in several processes, as one process would have printed them. */
export function joined(name: string, ...transcripts: readonly string[]): string {
  const lines = transcripts.flatMap((text) => text.split('\n')).filter((line) => line !== '')
  const ends = EXAMPLES.find((one) => one.name === name)?.ends ?? []
  const ordered = ends.flatMap((end) => lines.filter((line) => line.startsWith(`${end.name}: `)))
  return ordered.map((line) => `${line}\n`).join('')
}
