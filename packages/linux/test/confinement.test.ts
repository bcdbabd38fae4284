import { spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { ConfinedProgram } from '@parakernel/hal'
import { expect, type TestContext, test } from 'vitest'
import { dropRights, readRights } from '../src/index.ts'
import { requires } from './requirements.ts'

const NOBODY = { uid: 61_190, gid: 61_191 }
const LAUNCHER = new URL('./fixtures/become-confined.ts', import.meta.url).pathname

const argumentsFor = (program: Omit<ConfinedProgram, 'parent'>) => [
  '--conditions=source',
  LAUNCHER,
  JSON.stringify(program),
]

/** Runs a shell command that was confined; what it printed. */
function confined(command: string, more: Partial<ConfinedProgram> = {}, stdio: (number | 'ignore' | 'pipe')[] = []) {
  const program = {
    file: '/bin/sh',
    args: ['-c', command],
    environment: { GREETING: 'hello' },
    descriptors: 3,
    user: NOBODY,
    ...more,
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, argumentsFor(program), {
    stdio: ['ignore', 'pipe', 'pipe', ...stdio],
    encoding: 'utf8',
    env: { ...process.env, SECRET: 'of the control plane' },
  })
  return { status, out: stdout.trim(), err: stderr }
}

function needsRoot(context: TestContext): void {
  requires(context)
  if (process.getuid?.() !== 0) context.skip('needs root, to give root up')
}

test('the program has one user, no groups, no capabilities and no way back', (context) => {
  needsRoot(context)
  const { out } = confined('exec cat /proc/self/status')
  expect(out).toMatch(/^Uid:\s+61190\s+61190\s+61190\s+61190$/m)
  expect(out).toMatch(/^Gid:\s+61191\s+61191\s+61191\s+61191$/m)
  expect(out).toMatch(/^Groups:\s*$/m)
  for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb']) expect(out).toMatch(new RegExp(`^Cap${set}:\\s+0+$`, 'm'))
  expect(out).toMatch(/^NoNewPrivs:\s+1$/m)
  expect(out).toMatch(/^Seccomp:\s+2$/m)
})

test('it starts no process that would outlive it, and threads as it likes', (context) => {
  needsRoot(context)
  expect(confined('true & wait')).toMatchObject({ status: 2, err: expect.stringMatching(/cannot fork|not permitted/i) })
  const threads = `const { Worker } = require('node:worker_threads')
    new Worker('require("node:fs").writeSync(1, "a thread")', { eval: true }).on('exit', () => {
      try { require('node:child_process').execFileSync('/bin/true') } catch (error) { console.log(', no process:', error.code) }
    })`
  const { out, err } = confined('', { file: process.execPath, args: ['-e', threads] })
  expect(err).toBe('')
  expect(out).toBe('a thread, no process: EPERM')
})

test('its environment and its descriptors are those that are named', (context) => {
  needsRoot(context)
  expect(confined('exec env').out).not.toContain('SECRET')
  expect(confined('echo $GREETING').out).toBe('hello')
  const fd = openSync('/dev/zero', 'r')
  try {
    const open = (descriptors: number) => confined('exec ls -l /proc/self/fd', { descriptors }, [fd]).out
    expect(open(4)).toContain('/dev/zero')
    expect(open(3)).not.toContain('/dev/zero')
    // And nothing of Node's own: its standard descriptors, and the one by which ls reads this.
    expect(open(3).match(/->/g)?.length).toBe(4)
  } finally {
    closeSync(fd)
  }
})

test('a program that its user may not run is EACCES that names it', (context) => {
  needsRoot(context)
  const { status, err } = confined('', { file: '/etc/shadow' })
  expect(status).not.toBe(0)
  expect(err).toMatch(/EACCES[\s\S]*Let the user of the partition read and run it/)
})

test('without the right to become another user it says so', (context) => {
  requires(context)
  if (process.getuid?.() !== 0) return expect(() => dropRights(NOBODY, process.ppid)).toThrow('EPERM')
  const inner = argumentsFor({ file: '/bin/true', args: [], environment: {}, descriptors: 3, user: { uid: 0, gid: 0 } })
  const { status, err } = confined('exec "$@"', { args: ['-c', 'exec "$0" "$@"', process.execPath, ...inner] })
  expect(status).not.toBe(0)
  expect(err).toMatch(/EPERM[\s\S]*Run the control plane as root/)
})

test('without a user it keeps its own, and has no capabilities', (context) => {
  requires(context)
  const { user: _, ...noUser } = { user: NOBODY, file: '/bin/cat', args: ['/proc/self/status'], environment: {} }
  const { stdout } = spawnSync(process.execPath, argumentsFor({ ...noUser, descriptors: 3 }), { encoding: 'utf8' })
  expect(stdout).toMatch(/^CapPrm:\s+0+$/m)
  expect(stdout).toMatch(/^NoNewPrivs:\s+1$/m)
  expect(stdout).toMatch(new RegExp(`^Uid:\\s+${process.getuid?.()}\\s`, 'm'))
})

test('it ends with its parent, however that ends', async (context) => {
  needsRoot(context)
  const program = { file: '/bin/sleep', args: ['600'], environment: {}, descriptors: 3, user: NOBODY }
  const parent = spawn(
    process.execPath,
    [
      '-e',
      `const child = require('node:child_process').spawn(process.execPath, ${JSON.stringify(argumentsFor(program))})
       child.stderr.pipe(process.stderr)
       console.log(child.pid)
       setInterval(() => {}, 1000)`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (data) => resolve(Number(data))))
  const read = (file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, 'latin1')
    } catch {
      return 'gone'
    }
  }
  await expect.poll(() => read('comm').trim(), { timeout: 20_000 }).toBe('sleep')
  parent.kill('SIGKILL')
  // A zombie whose new parent has not reaped it is as dead.
  await expect.poll(() => /gone|^State:\s+Z/m.test(read('status')), { timeout: 20_000 }).toBe(true)
})

test('rights are read from /proc', (context) => {
  requires(context)
  const rights = readRights()
  expect(rights.uids).toHaveLength(4)
  expect(rights.uids[0]).toBe(process.getuid?.())
})
