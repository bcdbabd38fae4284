import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Script } from './language/script.ts'
import { ScriptError } from './language/script-error.ts'
import { linuxMissing } from './linux/availability.ts'
import { LinuxSubject } from './linux/linux-subject.ts'
import { differenceList } from './run/difference-list.ts'
import { jobsOf, type Result, runInBatches, runInTurn } from './run/run-all.ts'
import { findScripts, TOOL } from './scripts.ts'

const HELP = `scripts: runs scripts of packets and socket calls

  pnpm scripts [options] [PART...]   those whose path contains one of the parts; all without

  --kernel       against Linux too, and writes KERNEL.md when all scripts ran and hold
  --kernel-only  against Linux alone
  --mapped       IPv6 sockets over IPv4 packets
  --no-offloads  our stack sums and cuts by itself, on a device that does nothing of that
  --random N     N random scripts on both, compared with each other; --seed S (1) is the first
  --trace        what happened, also where a script holds
  --parallel N   scripts that run against Linux at a time (24)
  --retries N    times that one is tried again alone, as other programs take its time (2)
  --help

Against Linux it needs root, for network namespaces and a TUN device.
`

/** The program: returns its exit code. */
export async function runCommand(words: readonly string[]): Promise<number> {
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(words)
  } catch (error) {
    return refuse((error as Error).message)
  }
  const { values, positionals } = parsed
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const [parallel, retries] = [Number(values.parallel), Number(values.retries)]
  if (!(Number.isInteger(parallel) && parallel > 0))
    return refuse(`--parallel ${values.parallel}: a whole number from 1`)
  if (!(Number.isInteger(retries) && retries >= 0)) return refuse(`--retries ${values.retries}: a whole number from 0`)
  const kernel = values.kernel || values['kernel-only'] || values.random !== undefined
  if (kernel) {
    const missing = linuxMissing()
    if (missing !== undefined) return refuse(`the comparison with Linux needs ${missing}`)
  }
  if (values.random !== undefined) return compare(values.random, values.seed)
  let scripts: Script[]
  try {
    scripts = findScripts(positionals)
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error
    return refuse(error.message)
  }
  if (scripts.length === 0) return refuse(`no script's path contains ${positionals.join(' or ')}`)

  if (values.mapped) scripts = scripts.map(overIpv4).filter(({ settings }) => settings.families.length > 0)
  const sockets = values.mapped ? { sockets: 6 as const } : {}
  const results: Result[] = []
  if (!values['kernel-only']) {
    const { NO_OFFLOADS, OurSubject } = await import('./ours/our-subject.ts')
    const offloads = values['no-offloads'] ? NO_OFFLOADS : {}
    results.push(
      ...(await runInTurn(jobsOf(scripts, 'ours'), (setup) => OurSubject.open({ ...setup, ...sockets }, offloads))),
    )
  }
  if (kernel) {
    const open = (setup: ConstructorParameters<typeof LinuxSubject>[0]) => new LinuxSubject({ ...setup, ...sockets })
    results.push(...(await runInBatches(jobsOf(scripts, 'linux'), open, parallel, retries)))
  }
  for (const result of results) if (result.failure !== undefined || values.trace) console.log(describe(result))
  const summary = summarize(scripts, results)
  console.log(summary)
  const holds = results.every(({ failure }) => failure === undefined)
  if (values.kernel && !values.mapped && positionals.length === 0 && holds) {
    writeFileSync(join(TOOL, 'KERNEL.md'), differenceList(scripts, summary))
    console.log('KERNEL.md is written')
  }
  return holds ? 0 : 1
}

function parse(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      kernel: { type: 'boolean', default: false },
      'kernel-only': { type: 'boolean', default: false },
      mapped: { type: 'boolean', default: false },
      'no-offloads': { type: 'boolean', default: false },
      random: { type: 'string' },
      seed: { type: 'string', default: '1' },
      trace: { type: 'boolean', default: false },
      parallel: { type: 'string', default: '24' },
      retries: { type: 'string', default: '2' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
}

async function compare(count: string, seed: string): Promise<number> {
  const [n, first] = [Number(count), Number(seed)]
  if (!(Number.isInteger(n) && n > 0)) return refuse(`--random ${count}: a whole number from 1`)
  if (!Number.isInteger(first)) return refuse(`--seed ${seed}: a whole number`)
  const { compareRandom } = await import('./random/compare.ts')
  const found = await compareRandom(first, n)
  for (const { seed, before, ours, linux } of found) {
    console.log(`seed ${seed}\n${before.join('\n')}\n-- ours\n${ours.join('\n')}\n-- linux\n${linux.join('\n')}\n`)
  }
  console.log(`${found.length} of ${n} random scripts end differently`)
  return found.length > 0 ? 1 : 0
}

function overIpv4(script: Script): Script {
  const families = script.settings.families.filter((family) => family === 4)
  return { ...script, settings: { ...script.settings, families } }
}

function describe({ script, family, subject, failure, trace }: Result): string {
  const head = `${failure === undefined ? 'ok  ' : 'FAIL'} ${subject} ipv${family} ${script.file}`
  if (failure === undefined) return `${head}\n    ${trace.join('\n    ')}`
  return `${head}\n  ${failure.name === 'ScriptFailure' ? failure.message : failure.stack}`
}

function summarize(scripts: readonly Script[], results: readonly Result[]): string {
  const parts = (['ours', 'linux'] as const).flatMap((subject) => {
    const mine = results.filter((result) => result.subject === subject)
    if (mine.length === 0) return []
    const bad = mine.filter(({ failure }) => failure !== undefined).length
    return [`${mine.length - bad} of ${mine.length} runs hold against ${subject === 'ours' ? 'our stack' : 'Linux'}`]
  })
  return `${scripts.length} scripts; ${parts.join(', ')} (IPv4 and IPv6 counted apart).`
}

function refuse(message: string): number {
  console.error(`scripts: ${message}`)
  return 2
}
