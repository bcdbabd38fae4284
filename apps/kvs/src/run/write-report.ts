import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { htmlReport } from '../report/html.ts'
import type { RunResult } from './result.ts'

/** Writes the report, and returns its path; undefined when none is wanted. */
export async function writeReport(result: RunResult, file: string): Promise<string | undefined> {
  if (file === 'none' || file === '') return undefined
  const path = resolve(file)
  await writeFile(path, htmlReport(result))
  return path
}
