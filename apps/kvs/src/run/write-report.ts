import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { ParakernelError } from '@parakernel/hal'
import { htmlReport } from '../report/html.ts'
import type { RunResult } from './result.ts'

/** Writes the report, and returns its path; undefined when none is wanted. */
export async function writeReport(result: RunResult, file: string): Promise<string | undefined> {
  if (file === 'none' || file === '') return undefined
  const path = resolve(file)
  try {
    await writeFile(path, htmlReport(result))
  } catch (cause) {
    throw new ParakernelError('EIO', `the report cannot be written: ${(cause as Error).message}`, {
      remedy: 'Name another file with --report FILE, or none with --report none',
      cause,
    })
  }
  return path
}
