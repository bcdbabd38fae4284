import { ParakernelError } from '@parakernel/hal'
import { describe, test } from 'vitest'
import { findProfile, type Profile } from '../src/machine/profiles.ts'
import { labMissing } from '../src/machine/requirements.ts'
import { type RunResult, runMachine } from '../src/machine/run.ts'
import { listTests, suitePayload, suitesOf } from '../src/machine/suites.ts'
import { type GuestResult, parseTap } from '../src/report/tap.ts'

/** Below the time that a hung test would have, above the slowest machine that shares its processors. */
const MACHINE_TIMEOUT = 400_000

interface Boot {
  readonly run: RunResult
  readonly results: ReadonlyMap<number, GuestResult>
}

/**
 * Registers each test of a profile's suites as a test of this process. The machine boots once, when the first of them runs; one that does not
 * report has failed.
 */
export async function guestTests(profileName: string): Promise<void> {
  const profile = findProfile(profileName) as Profile
  const suites = suitesOf(profile)
  const names = await listTests(suites)
  const missing = labMissing()
  let boot: Promise<Boot | string> | undefined

  describe(`machine ${profile.name}`, () => {
    for (const [i, name] of names.entries()) {
      test(name, { timeout: MACHINE_TIMEOUT + 30_000 }, async (context) => {
        if (missing !== undefined) context.skip(missing)
        boot ??= bootMachine(profile, suites)
        const booted = await boot
        if (typeof booted === 'string') return context.skip(booted)
        const result = booted.results.get(i + 1)
        if (result === undefined || result.name !== name) throw new Error(explain(booted.run))
        if (result.state === 'skipped') context.skip(result.note)
        if (result.state === 'failed') throw new Error(`in the machine:\n${result.note}`)
      })
    }
    test('the command ended well', { timeout: MACHINE_TIMEOUT + 30_000 }, async (context) => {
      if (missing !== undefined) context.skip(missing)
      boot ??= bootMachine(profile, suites)
      const booted = await boot
      if (typeof booted === 'string') return context.skip(booted)
      // A test that failed has said so already.
      const failed = [...booted.results.values()].some(({ state }) => state === 'failed')
      if (booted.run.status !== 0 && !failed) throw new Error(explain(booted.run))
    })
  })
}

/** A reason to skip, where there is no kernel and no way to it. */
async function bootMachine(profile: Profile, suites: readonly string[]): Promise<Boot | string> {
  try {
    const run = await runMachine({ profile, payload: suitePayload(suites), timeout: MACHINE_TIMEOUT })
    const { build, boot, total } = run.milliseconds
    const seconds = [build, boot, total].map((milliseconds) => (milliseconds / 1000).toFixed(1))
    console.log(`machine ${profile.name}: ${seconds[0]} s to build, ${seconds[1]} s to boot, ${seconds[2]} s in all`)
    return { run, results: new Map(parseTap(run.lines).results.map((result) => [result.number, result])) }
  } catch (error) {
    if (error instanceof ParakernelError && error.code === 'ENOENT') return error.message
    throw error
  }
}

function explain({ status, timedOut, lines, console }: RunResult): string {
  const end = timedOut ? 'was stopped at its time limit' : `ended with ${status ?? 'no'} exit code`
  const last = (text: readonly string[]) => text.slice(-25).join('\n')
  return `the machine ${end}\n--- its last output\n${last(lines)}\n--- its kernel's last words\n${last(console.split('\n'))}`
}
