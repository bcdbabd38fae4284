import { execFileSync, spawn } from 'node:child_process'
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cacheFolder } from '../image/cache.ts'
import { fetchKernel } from '../image/debian.ts'
import { buildInitramfs } from '../image/initramfs.ts'
import type { Profile } from './profiles.ts'
import { CONSOLE_LOG, qemuCommand } from './qemu.ts'
import { createScratch } from './scratch.ts'

const ARTEFACT_BYTES = 64 << 20

export interface RunOptions {
  readonly profile: Profile
  /** Writes what is to be run into a folder; `run.sh` there is the command, in a POSIX shell. */
  readonly payload: (folder: string) => Promise<void>
  /** Folder for what the command left in /artefacts. Default: nothing is kept. */
  readonly artefacts?: string
  /** Milliseconds for the whole machine. */
  readonly timeout: number
  /** Each line of the command's output, when it comes. */
  readonly onLine?: (line: string) => void
}

export interface RunResult {
  /** Of the command; undefined when the machine ended without one: a panic, a crash of QEMU, the time limit. */
  readonly status: number | undefined
  readonly timedOut: boolean
  readonly lines: readonly string[]
  /** What the kernel said. */
  readonly console: string
  readonly milliseconds: { readonly build: number; readonly boot: number; readonly total: number }
}

/** Boots a machine, runs the payload in it, and brings back what came of it. Its images live no longer than the call. */
export async function runMachine(options: RunOptions): Promise<RunResult> {
  const started = performance.now()
  const cache = cacheFolder()
  const kernel = fetchKernel(cache)
  const initramfs = buildInitramfs(cache, kernel)
  const scratch = createScratch()
  const open: number[] = []
  try {
    const tree = join(scratch, 'payload')
    mkdirSync(tree)
    await options.payload(tree)
    const payload = join(scratch, 'payload.tar')
    execFileSync('tar', ['-c', '-f', payload, '-C', tree, '.'])
    const artefacts = join(scratch, 'artefacts.tar')
    const log = join(scratch, CONSOLE_LOG)
    for (const file of [artefacts, log]) open.push(openSync(file, 'w+'))
    ftruncateSync(open[0]!, ARTEFACT_BYTES)
    const files = { scratch, kernel: kernel.image, initramfs, payload, artefacts }
    const build = performance.now() - started
    // QEMU has everything open that it needs, and so have we: from now on nothing is left, whoever is killed.
    const onUp = () => rmSync(scratch, { recursive: true, force: true })
    let ran = await drive(qemuCommand(options.profile, files), options, onUp)
    // A kernel that panics before user space says nothing about what was to be run. Its images are made anew.
    if (ran.boot === 0 && !ran.timedOut) ran = await drive(qemuCommand(options.profile, files), options, onUp)
    if (options.artefacts !== undefined && ran.status !== undefined) {
      execFileSync('tar', ['-x', '-C', options.artefacts], { stdio: [open[0]!, 'ignore', 'pipe'] })
    }
    return {
      ...ran,
      console: readWhole(open[1]!),
      milliseconds: { build, boot: ran.boot, total: performance.now() - started },
    }
  } finally {
    for (const descriptor of open) closeSync(descriptor)
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** A file whose name may be gone. */
function readWhole(descriptor: number): string {
  const bytes = Buffer.alloc(fstatSync(descriptor).size)
  readSync(descriptor, bytes, 0, bytes.length, 0)
  return bytes.toString('utf8')
}

/** Waits for the process itself and not only for the exit line: it holds the images open. */
async function drive([program, args]: [string, string[]], { timeout, onLine }: RunOptions, onUp: () => void) {
  const started = performance.now()
  const machine = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const kill = () => machine.kill('SIGKILL')
  process.once('exit', kill)
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    kill()
  }, timeout)
  const lines: string[] = []
  let status: number | undefined
  let boot = 0
  createInterface({ input: machine.stdout }).on('line', (raw) => {
    const line = raw.replace(/\r$/, '')
    const exit = /^LAB-EXIT (\d+)$/.exec(line)
    if (exit !== null) status = Number(exit[1])
    else if (line === 'LAB-UP') {
      boot = performance.now() - started
      onUp()
    } else {
      lines.push(line)
      onLine?.(line)
    }
  })
  let complaint = ''
  machine.stderr.on('data', (data: Buffer) => {
    complaint += data.toString()
  })
  try {
    await new Promise<void>((resolve, reject) => {
      machine.once('error', reject)
      machine.once('close', () => resolve())
    })
  } finally {
    clearTimeout(timer)
    process.off('exit', kill)
  }
  if (status === undefined && complaint !== '') {
    for (const line of complaint.trimEnd().split('\n')) {
      lines.push(line)
      onLine?.(line)
    }
  }
  return { status, timedOut, lines, boot }
}
