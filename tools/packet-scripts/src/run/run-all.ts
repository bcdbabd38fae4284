import type { Family, Script, SubjectKind } from '../language/script.ts'
import { runScript } from './run-script.ts'
import type { Subject, SubjectSetup } from './subject.ts'

export interface Result {
  readonly script: Script
  readonly family: Family
  readonly subject: SubjectKind
  /** Undefined when the script holds. */
  readonly failure: Error | undefined
  readonly trace: readonly string[]
}

export interface Job {
  readonly script: Script
  readonly family: Family
}

/** What runs against a subject: every script in each of its families, but for those of the other subject alone. */
export function jobsOf(scripts: readonly Script[], kind: SubjectKind): Job[] {
  return scripts
    .filter(({ settings }) => settings.only === undefined || settings.only.subject === kind)
    .flatMap((script) => script.settings.families.map((family) => ({ script, family })))
    .sort((a, b) => nominalTime(a.script) - nominalTime(b.script))
}

/** How long a script takes, so that the long ones run together. */
function nominalTime({ events }: Script): number {
  return events.reduce((sum, { time }) => sum + (time.kind === 'relative' ? time.from : 0), 0)
}

/**
 * Runs scripts against Linux, `parallel` at a time. Namespaces are made before and taken down after each batch, because that
 * holds up the thread. The time is real, and other programs take it: what fails is tried again, alone, up to `retries` times.
 */
export async function runInBatches(
  jobs: readonly Job[],
  open: (setup: SubjectSetup) => Subject & { dispose(): void },
  parallel: number,
  retries: number,
): Promise<Result[]> {
  const results: Result[] = []
  const failed: Job[] = []
  for (let at = 0; at < jobs.length; at += parallel) {
    for (const result of await runTogether(jobs.slice(at, at + parallel), open)) {
      if (result.failure === undefined || retries === 0) results.push(result)
      else failed.push(result)
    }
  }
  if (failed.length > 0) results.push(...(await runInBatches(failed, open, retries > 1 ? 4 : 1, retries - 1)))
  return results
}

async function runTogether(jobs: readonly Job[], open: (setup: SubjectSetup) => Subject & { dispose(): void }) {
  const subjects = jobs.map(({ script, family }) => open({ family, ...script.settings }))
  // An IPv6 address is not there at once.
  await new Promise((resolve) => setTimeout(resolve, 100))
  const results = await Promise.all(jobs.map((job, i) => runOne(job, subjects[i])))
  for (const subject of subjects) subject.dispose()
  return results
}

/** Runs scripts against our stack, each on a clock of its own, one after the other. */
export async function runInTurn(
  jobs: readonly Job[],
  open: (setup: SubjectSetup) => Promise<Subject>,
): Promise<Result[]> {
  const results: Result[] = []
  for (const job of jobs) {
    try {
      results.push(await runOne(job, await open({ family: job.family, ...job.script.settings })))
    } catch (error) {
      results.push({ ...job, subject: 'ours', failure: error as Error, trace: [] })
    }
  }
  return results
}

export async function runOne({ script, family }: Job, subject: Subject): Promise<Result> {
  try {
    const trace = await runScript(script, family, subject)
    return { script, family, subject: subject.kind, failure: undefined, trace }
  } catch (error) {
    return { script, family, subject: subject.kind, failure: error as Error, trace: [] }
  }
}
