import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildPayload, listSuites } from '../payload/build.ts'
import type { Profile } from './profiles.ts'
import { createScratch } from './scratch.ts'

/** The suites of a profile: those in the folder of its name, as `devices/machine`. */
export function suitesOf(profile: Profile): string[] {
  return listSuites().filter((suite) => suite.startsWith(`${profile.name}/`))
}

/** A payload that runs suites; `match` leaves only tests whose full name contains it. */
export function suitePayload(suites: readonly string[], match = ''): (folder: string) => Promise<void> {
  return async (folder) => {
    const files = await buildPayload(folder, suites)
    const filter = match === '' ? '' : `--match ${quote(match)} `
    // As on the host: longer workloads on demand.
    const long = process.env['PARAKERNEL_LONG'] === '1' ? 'PARAKERNEL_LONG=1 ' : ''
    writeFileSync(join(folder, 'run.sh'), `${long}node --expose-gc run.js ${filter}${files.join(' ')}\n`)
  }
}

/** A payload that runs a shell command, with the workspace in its `node_modules`. */
export function commandPayload(command: string): (folder: string) => Promise<void> {
  return async (folder) => {
    await buildPayload(folder, [])
    writeFileSync(join(folder, 'run.sh'), `${command}\n`)
  }
}

/** Full names of the tests that suites register, in their order, without a machine. */
export async function listTests(suites: readonly string[]): Promise<string[]> {
  if (suites.length === 0) return []
  const folder = createScratch()
  try {
    const files = await buildPayload(folder, suites)
    const said = execFileSync(process.execPath, ['run.js', '--list', ...files], { cwd: folder, encoding: 'utf8' })
    return JSON.parse(said) as string[]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
