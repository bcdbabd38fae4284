import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { findProgram } from '../src/image/programs.ts'
import { findProfile, type Profile } from '../src/machine/profiles.ts'
import { CONSOLE_LOG, qemuCommand } from '../src/machine/qemu.ts'
import { labMissing } from '../src/machine/requirements.ts'
import { runMachine } from '../src/machine/run.ts'
import { createScratch, removeStaleScratch } from '../src/machine/scratch.ts'

const devices = findProfile('devices') as Profile
/** A machine without anything, which boots quickest. */
const bare: Profile = { name: 'bare', description: '', devices: () => [] }

describe('what a run leaves', () => {
  test('folders of processes that are gone are removed, others stay', async () => {
    const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
    await new Promise((resolve) => child.once('exit', resolve))
    const dead = join(tmpdir(), `parakernel-lab-${child.pid}-abc`)
    mkdirSync(dead)
    const own = createScratch()
    expect(existsSync(dead)).toBe(false)
    expect(removeStaleScratch()).toEqual([])
    expect(existsSync(own)).toBe(true)
    rmSync(own, { recursive: true })
  })

  test('images are sparse files of their own, in the folder of the run', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lab-profile-'))
    const args = devices.devices(folder).join(' ')
    for (const name of readdirSync(folder)) expect(args).toContain(join(folder, name))
    expect(readdirSync(folder).length).toBeGreaterThanOrEqual(4)
    const [, words] = qemuCommand(devices, {
      scratch: folder,
      kernel: 'k',
      initramfs: 'i',
      payload: 'p',
      artefacts: 'a',
    })
    expect(words.join(' ')).toContain(`file:${join(folder, CONSOLE_LOG)}`)
    rmSync(folder, { recursive: true })
  })

  test('a machine brings back its exit code, its output and its artefacts', async (context) => {
    const missing = labMissing()
    if (missing !== undefined) return context.skip(missing)
    const artefacts = mkdtempSync(join(tmpdir(), 'lab-artefacts-'))
    const payload = async (folder: string) =>
      writeFileSync(join(folder, 'run.sh'), 'mkdir /artefacts/a; uname -m > /artefacts/a/b; echo said; exit 7\n')
    const result = await runMachine({ profile: bare, payload, artefacts, timeout: 100_000 })
    expect(result).toMatchObject({ status: 7, timedOut: false, lines: ['said'] })
    expect(readFileSync(join(artefacts, 'a', 'b'), 'utf8')).toBe('x86_64\n')
    rmSync(artefacts, { recursive: true })
  })

  test('a machine that does not end is ended, and has no exit code', async (context) => {
    const missing = labMissing()
    if (missing !== undefined) return context.skip(missing)
    const payload = async (folder: string) => writeFileSync(join(folder, 'run.sh'), 'sleep 1000\n')
    const result = await runMachine({ profile: bare, payload, timeout: 1000 })
    expect(result).toMatchObject({ status: undefined, timedOut: true })
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`parakernel-lab-${process.pid}-`))).toEqual([])
  })

  test('after SIGKILL of the one who runs it, machine and files are gone', async (context) => {
    const missing = labMissing()
    if (missing !== undefined) return context.skip(missing)
    if (findProgram('setpriv') === undefined) return context.skip('setpriv (util-linux) is not installed')
    const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
    const words = ['--conditions=source', main, 'run', 'echo here; sleep 1000']
    const lab = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise<void>((resolve, reject) => {
      lab.once('exit', (code) => reject(new Error(`the lab ended with ${code}`)))
      lab.stdout.on('data', (data: Buffer) => data.includes('here') && resolve())
    })
    const mark = `parakernel-lab-${lab.pid}-`
    expect(processesWith(mark)).toHaveLength(1)
    lab.removeAllListeners('exit')
    lab.kill('SIGKILL')
    await expect.poll(() => processesWith(mark), { timeout: 5000 }).toEqual([])
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(mark))).toEqual([])
  })
})

/** Processes that have `text` on their command line. */
function processesWith(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text)
    } catch {
      return false
    }
  })
}
