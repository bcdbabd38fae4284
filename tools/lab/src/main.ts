import { mkdirSync, rmSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { defineCommand, runMain } from 'citty'
import { cacheFolder } from './image/cache.ts'
import { fetchKernel } from './image/debian.ts'
import { buildInitramfs } from './image/initramfs.ts'
import { findProfile, PROFILES, type Profile } from './machine/profiles.ts'
import { labMissing } from './machine/requirements.ts'
import { type RunResult, runMachine } from './machine/run.ts'
import { removeStaleScratch } from './machine/scratch.ts'
import { commandPayload, listTests, suitePayload, suitesOf } from './machine/suites.ts'
import { parseTap } from './report/tap.ts'

const names = PROFILES.map(({ name }) => name).join(' or ')

const machineArgs = {
  profile: { type: 'string', default: 'devices', description: `the devices: ${names}` },
  timeout: { type: 'string', default: '120', description: 'seconds for the whole machine' },
  artefacts: { type: 'string', description: 'folder for what is left in /artefacts' },
  console: { type: 'boolean', default: false, description: 'print what the kernel said, too' },
} as const

const test = defineCommand({
  meta: { name: 'test', description: 'runs the suites of a profile in a machine' },
  args: {
    ...machineArgs,
    match: {
      type: 'string',
      default: '',
      description: 'only tests whose name contains this, or one of several with | between',
    },
  },
  async run({ args }) {
    const profile = chosen(args.profile)
    const result = await boot(profile, suitePayload(suitesOf(profile), args.match), args)
    const { planned, results } = parseTap(result.lines)
    const count = (state: string) => results.filter((one) => one.state === state).length
    const missing = (planned ?? 0) - results.length
    console.log(`${count('passed')} passed, ${count('failed') + missing} failed, ${count('skipped')} skipped`)
    process.exitCode = result.status ?? 1
  },
})

const run = defineCommand({
  meta: { name: 'run', description: 'runs a shell command in a machine; the built workspace is in its node_modules' },
  args: { command: { type: 'positional', required: true, description: "such as 'dmesg | tail'" }, ...machineArgs },
  async run({ args }) {
    const result = await boot(chosen(args.profile), commandPayload(args.command), args)
    process.exitCode = result.status ?? 1
  },
})

const list = defineCommand({
  meta: { name: 'list', description: 'the profiles, their devices and their tests' },
  async run() {
    for (const profile of PROFILES) {
      console.log(`${profile.name}: ${profile.description}`)
      for (const name of await listTests(suitesOf(profile))) console.log(`  ${name}`)
    }
  },
})

const build = defineCommand({
  meta: {
    name: 'build',
    description: 'downloads the kernel and builds the first file system, if they are not in the cache',
  },
  run() {
    requireLab()
    try {
      const kernel = fetchKernel(cacheFolder())
      console.log(`${kernel.release}\n${kernel.image}\n${buildInitramfs(cacheFolder(), kernel)}`)
    } catch (error) {
      explain(error)
    }
  },
})

const clean = defineCommand({
  meta: { name: 'clean', description: 'removes the cache, and what runs left that were killed' },
  run() {
    removeStaleScratch()
    rmSync(cacheFolder(), { recursive: true, force: true })
  },
})

interface BootArgs {
  readonly timeout: string
  readonly artefacts?: string | undefined
  readonly console: boolean
}

async function boot(profile: Profile, payload: (folder: string) => Promise<void>, args: BootArgs): Promise<RunResult> {
  requireLab()
  const timeout = Number(args.timeout) * 1000
  if (!(timeout > 0)) refuse(`--timeout ${args.timeout}: a number of seconds`)
  if (args.artefacts !== undefined) mkdirSync(args.artefacts, { recursive: true })
  const keep = args.artefacts === undefined ? {} : { artefacts: args.artefacts }
  const onLine = (line: string) => console.log(line)
  const result = await runMachine({ profile, payload, timeout, ...keep, onLine }).catch(explain)
  if (args.console || result.status === undefined) console.error(result.console)
  if (result.timedOut) console.error(`lab: the machine was stopped after ${args.timeout} s`)
  else if (result.status === undefined) console.error('lab: the machine ended without an exit code')
  const { build, boot, total } = result.milliseconds
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`
  console.error(`lab: ${seconds(build)} to build, ${seconds(boot)} to boot, ${seconds(total)} in all`)
  return result
}

function chosen(name: string): Profile {
  return findProfile(name) ?? refuse(`--profile ${name}: there is no such profile, only ${names}`)
}

function requireLab(): void {
  const missing = labMissing()
  if (missing !== undefined) refuse(missing)
}

/** What is missing is said in one line; what is broken shows its stack. */
function explain(error: unknown): never {
  if (error instanceof ParakernelError) refuse(error.message)
  throw error
}

function refuse(message: string): never {
  console.error(`lab: ${message}`)
  process.exit(2)
}

const command = defineCommand({
  meta: {
    name: 'lab',
    description:
      'A virtual machine with NVMe controllers behind an IOMMU, persistent memory and NICs, for tests of device paths.',
  },
  subCommands: { test, run, list, build, clean },
})

await runMain(command)
