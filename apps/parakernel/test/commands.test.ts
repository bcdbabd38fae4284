import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ChromeTrace } from '@parakernel/config'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Row } from '../src/view/rates.ts'
import { begin, ownDirectory, run, underLoad } from './support/machines.ts'

interface Picture {
  readonly rows: readonly Row[]
}

async function otherProcess(): Promise<{ child: ChildProcess; socket: string }> {
  const fixture = fileURLToPath(new URL('fixtures/serve.ts', import.meta.url))
  const child = spawn(process.execPath, ['--conditions=source', fixture], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  return { child, socket: String(line).trim() }
}

describe('top', () => {
  test('shows what the machine counts', async () => {
    ownDirectory()
    const machine = await underLoad()
    const before = await machine.statistics()
    const began = performance.now()
    const { status, stdout } = await run('top', '--once', '--json', '--interval', '0.5')
    const seconds = (performance.now() - began) / 1000
    const after = await machine.statistics()
    expect(status).toBe(0)
    const { rows } = JSON.parse(stdout) as Picture
    expect(rows.map(({ pid, machine: name, partition }) => [pid, name, partition])).toEqual([
      [process.pid, 'busy', 0],
      [process.pid, 'busy', 1],
    ])
    for (const [i, { receive, transmit, rounds, batch, cpu, p50, p99, state, depth }] of rows.entries()) {
      // The picture lies between the two readings: in its half of a second no more can have been counted.
      const most = (name: 'rxPackets' | 'txPackets') => (after.queues[i][name] - before.queues[i][name]) / 0.4
      expect(receive).toBeGreaterThan(0)
      expect(receive).toBeLessThanOrEqual(most('rxPackets'))
      expect(transmit).toBeGreaterThan(0)
      expect(transmit).toBeLessThanOrEqual(most('txPackets'))
      expect(rounds).toBeGreaterThan(0)
      expect(batch).toBeGreaterThanOrEqual(1)
      expect(p50).toBeGreaterThan(0)
      expect(p99).toBeGreaterThanOrEqual(p50)
      expect(state).toBe('running')
      // One question and one answer at a time.
      expect(depth).toBeLessThanOrEqual(4)
      if (process.platform === 'linux') expect(cpu).toBeLessThan(1.1 + 1 / seconds)
    }
  })

  test('draws a table', async () => {
    ownDirectory()
    await underLoad('kvs')
    const { status, stdout } = await run('top', '--once', '--interval', '0.2')
    expect(status).toBe(0)
    const [titles, ...rows] = stdout.trimEnd().split('\n')
    expect(titles.trim().split(/ +/)).toEqual(
      'PID MACHINE CORE CPU WAIT ROUNDS/s SLEEPS/s BATCH B99 RX/s TX/s DROPS/s DEPTH P50 P99 STALLS'.split(' '),
    )
    expect(rows.map((row) => row.trim().split(/ +/).slice(0, 2))).toEqual([
      [`${process.pid}`, 'kvs/0'],
      [`${process.pid}`, 'kvs/1'],
    ])
  })

  test('sees processes come, says when one has ended, and ends with it', async () => {
    ownDirectory()
    const { child, socket } = await otherProcess()
    const first = begin('top', socket, '--interval', '0.1')
    const all = begin('top', '--json', '--interval', '0.1')
    await expect.poll(() => first.output(), { timeout: 20_000 }).toContain('lonely/0')
    const machine = await underLoad('late')
    await expect.poll(() => all.output(), { timeout: 20_000 }).toContain('"machine":"late"')
    child.stdin?.end()
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(await first.ended).toMatchObject({
      status: 3,
      stderr: `parakernel: serve.ts (process ${child.pid}) has ended\n`,
    })
    await machine.stop()
    expect(await all.ended).toMatchObject({ status: 3, stderr: expect.stringMatching(/\(process \d+\) has ended/) })
    expect(existsSync(socket)).toBe(false)
  })

  test('a process that is killed is noticed, and what it left is removed', async () => {
    const directory = ownDirectory()
    const { child, socket } = await otherProcess()
    const watching = begin('top', String(child.pid), '--interval', '0.1')
    await expect.poll(() => watching.output(), { timeout: 20_000 }).toContain('lonely/0')
    child.kill('SIGKILL')
    expect(await watching.ended).toMatchObject({ status: 3 })
    if (child.signalCode === null) await once(child, 'exit')
    expect(await run('top', socket)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('its process is gone'),
    })
    expect(readdirSync(directory)).toHaveLength(1)
    expect(await run('top')).toMatchObject({ status: 1, stderr: expect.stringContaining('--observe.socket auto') })
    expect(readdirSync(directory)).toHaveLength(0)
  })

  test('an interrupt ends it', async () => {
    ownDirectory()
    await underLoad()
    const watching = begin('top', '--interval', '0.1')
    await expect.poll(() => watching.output(), { timeout: 20_000 }).toContain('busy/1')
    watching.interrupt()
    expect(await watching.ended).toMatchObject({ status: 130 })
  })
})

test('list names machines, and where they can be asked', async () => {
  const directory = ownDirectory()
  await underLoad('one', { prometheus: 0 })
  writeFileSync(join(directory, 'file.sock'), '')
  const { status, stdout } = await run('list')
  expect(status).toBe(0)
  expect(stdout).toMatch(
    new RegExp(`^ *${process.pid} .* one +2  net on emulated  none +127\\.0\\.0\\.1:\\d+  ${directory}`, 'm'),
  )
  const [{ pid, socket }] = JSON.parse((await run('list', '--json')).stdout)
  expect([pid, socket]).toEqual([process.pid, join(directory, `${process.pid}.sock`)])
})

test('metrics prints what Prometheus would get', async () => {
  ownDirectory()
  await underLoad()
  const { status, stdout } = await run('metrics', String(process.pid))
  expect(status).toBe(0)
  expect(stdout).toMatch(/^# HELP parakernel_partition_up /)
  expect(stdout).toMatch(/^parakernel_loop_batches_total\{machine="busy",partition="1",least="1"\} [1-9]/m)
  expect(stdout).toMatch(/^parakernel_loop_stalls_total\{machine="busy",partition="0"\} \d+$/m)
})

test('trace records a while', async () => {
  const directory = ownDirectory()
  const machine = await underLoad()
  const file = join(directory, 'out.json')
  const { status, stderr } = await run('trace', '--seconds', '0.3', file)
  expect([status, stderr]).toEqual([0, expect.stringMatching(/out\.json: \d+ events/)])
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as ChromeTrace
  for (const tid of [0, 1]) {
    const rounds = traceEvents.filter((one) => one.name === 'round' && one.tid === tid)
    expect(rounds.length).toBeGreaterThan(0)
    const spans = Math.max(...rounds.map(({ ts }) => ts)) - Math.min(...rounds.map(({ ts }) => ts))
    expect(spans).toBeLessThan(5e6)
  }
  expect(await run('trace', join(directory, 'none', 'out.json'), '--seconds', '0.01')).toMatchObject({ status: 1 })
  const recording = begin('trace', '--seconds', '60', file)
  await new Promise((resolve) => setTimeout(resolve, 100))
  await machine.stop()
  expect(await recording.ended).toMatchObject({ status: 3, stderr: expect.stringContaining('--observe.trace') })
})

describe('a command line', () => {
  test.each([
    [['--help'], 0, /^parakernel command: looks at running machines/],
    [['top', '--help'], 0, /^parakernel top \[socket\|pid\]\n.*--interval n/s],
    [[], 2, /Commands/],
  ])('%j prints help', async (args, status, text) => {
    expect(await run(...args)).toMatchObject({ status, stdout: expect.stringMatching(text) })
  })

  test.each([
    [['tpo'], 2, /there is no command tpo; there are top, list, metrics, trace/],
    [['top', '--intervall', '1'], 2, /top knows no flag --intervall; see parakernel top --help/],
    [['top', '--interval', '0'], 2, /--interval: found 0, allowed: 0.05 to 3600 seconds/],
    [['top', '--interval', 'x'], 2, /--interval: found x/],
    [['list', 'word'], 2, /list: expected no words, found word/],
    [['trace'], 2, /trace: expected \[socket\|pid\] file, found none/],
    [['metrics', '/nowhere/x.sock'], 1, /\/nowhere\/x\.sock: there is no such socket; see parakernel list/],
    [['metrics', '1'], 1, /process 1 offers no machine/],
    [['metrics'], 1, /no machine is running that can be looked at\. Start one with --observe\.socket auto/],
    [['list', '--json'], 0, /^$/],
  ])('%j is answered', async (args, status, text) => {
    ownDirectory()
    expect(await run(...args)).toMatchObject({ status, stderr: expect.stringMatching(text) })
  })

  test('of two processes one must be named', async () => {
    ownDirectory()
    await underLoad()
    const { child } = await otherProcess()
    const { status, stderr } = await run('metrics')
    expect([status, stderr]).toEqual([2, expect.stringContaining(`${child.pid}  serve.ts`)])
    expect((await run('metrics', String(child.pid))).stdout).toContain('machine="lonely"')
  })

  test('a socket of something else is an error, and is left alone', async () => {
    const directory = ownDirectory()
    const path = join(directory, 'other.sock')
    const server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n')).listen(path)
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    expect(await run('metrics', path)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no JSON|no socket of/),
    })
    expect(existsSync(path)).toBe(true)
  })
})
