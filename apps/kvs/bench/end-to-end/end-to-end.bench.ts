/**
 * End to end over a veth pair: our server on AF_XDP against memcached (UDP and TCP) and redis on the kernel's stack, with the
 * same Linux client in a namespace on the other core. Needs root, iproute2, taskset, memcached and redis-server.
 *
 *     sudo pnpm exec node --conditions=source apps/kvs/bench/end-to-end/end-to-end.bench.ts [--rounds 3] [--seconds 2] [--json FILE]
 *
 * Every case runs in processes of its own, once a round, in an order that rotates. For each case the largest window of
 * batches counts that lost less than 0.1 %. CPU is the server process's, and the whole machine's (softirq included) less
 * what it used without load; the client's own share is in the latter and is also given without it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVethPair, probeLab, type VethPair } from '@parakernel/linux'
import type { ClientPlan, ClientResult } from './client.ts'
import { leafOf, machineCpu, processCpu } from './cpu.ts'

const OUR_PORT = 9000
const KEYS = 50_000
const WINDOWS = [4, 16, 64]
const LOSS = 0.001
/** Hybrid, with a short spin: a burst that follows at once finds the server awake, and between bursts it costs nothing. */
const WAIT = ['--wait.kind', 'hybrid', '--wait.spin', '5000']

interface Case {
  readonly name: string
  readonly server: ClientPlan['server']
  readonly batch: number
}

const CASES: readonly Case[] = [
  { name: 'ours, AF_XDP, 16 a packet', server: 'ours', batch: 16 },
  { name: 'ours, AF_XDP, 1 a packet', server: 'ours', batch: 1 },
  { name: 'memcached UDP, multi-get 16', server: 'memcached-udp', batch: 16 },
  { name: 'memcached UDP, 1 a packet', server: 'memcached-udp', batch: 1 },
  { name: 'memcached TCP, pipeline 16', server: 'memcached-tcp', batch: 16 },
  { name: 'redis, pipeline 16', server: 'redis', batch: 16 },
  { name: 'redis, unpipelined', server: 'redis', batch: 1 },
]

interface Measurement extends ClientResult {
  readonly window: number
  readonly rate: number
  readonly perServerCpu: number
  readonly perMachineCpu: number
  readonly perMachineCpuWithoutClient: number
}

const option = (name: string, fallback: string) => {
  const at = process.argv.indexOf(`--${name}`)
  return at < 0 ? fallback : process.argv[at + 1]
}

const rounds = Number(option('rounds', '3'))
const seconds = Number(option('seconds', '2'))
const only = option('only', '')

function refuse(message: string): never {
  console.error(`end-to-end: ${message}`)
  process.exit(2)
}

const lab = probeLab()
if (!lab.available) refuse(`needs ${lab.missing}. ${lab.remedy}`)
for (const program of ['memcached', 'redis-server', 'taskset']) {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
  } catch {
    refuse(`needs ${program}. Install it: apt install memcached redis-server util-linux`)
  }
}

/** Ours has the cable to itself; the kernel's servers share another one, on which this end has an address. */
const xdp = createVethPair({ label: 'e2ex', peerAddresses: ['10.113.0.2/24'] })
const kernel = createVethPair({ label: 'e2ek', peerAddresses: ['10.114.0.2/24'] })
execFileSync('ip', ['addr', 'add', '10.114.0.1/24', 'dev', kernel.interface])
const running = new Set<ChildProcess>()

function startServer(server: Case['server']): { child: ChildProcess; pair: VethPair; address: string; port: number } {
  const ours = new URL('../../src/main.ts', import.meta.url).pathname
  const network = ['--libos', 'net', '--backend', 'af-xdp', '--interface', xdp.interface, '--address', '10.113.0.1/24']
  const lines: Record<Case['server'], string[]> = {
    ours: [process.execPath, '--conditions=source', ours, 'serve', ...network, ...WAIT],
    'memcached-udp': [
      'memcached',
      '-u',
      'nobody',
      '-l',
      '10.114.0.1',
      '-U',
      '11311',
      '-p',
      '11312',
      '-t',
      '1',
      '-m',
      '128',
    ],
    'memcached-tcp': [
      'memcached',
      '-u',
      'nobody',
      '-l',
      '10.114.0.1',
      '-U',
      '0',
      '-p',
      '11312',
      '-t',
      '1',
      '-m',
      '128',
    ],
    redis: [
      'redis-server',
      '--bind',
      '10.114.0.1',
      '--port',
      '16379',
      '--save',
      '',
      '--appendonly',
      'no',
      '--protected-mode',
      'no',
    ],
  }
  const child = spawn('taskset', ['-c', '0', ...lines[server]], { stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout?.resume()
  running.add(child)
  const isOurs = server === 'ours'
  return {
    child,
    pair: isOurs ? xdp : kernel,
    address: isOurs ? '10.113.0.1' : '10.114.0.1',
    port: isOurs ? OUR_PORT : server === 'redis' ? 16_379 : server === 'memcached-udp' ? 11_311 : 11_312,
  }
}

async function stop(child: ChildProcess): Promise<void> {
  const over = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const forced = setTimeout(() => child.kill('SIGKILL'), 3000)
  if (child.exitCode === null && child.signalCode === null) await over
  clearTimeout(forced)
  running.delete(child)
}

/** One client against one server. */
async function load(one: Case, window: number, idle: number): Promise<Measurement> {
  const { child, pair, address, port } = startServer(one.server)
  try {
    await sleep(one.server === 'ours' ? 1200 : 400)
    if (child.exitCode !== null) throw new Error(`${one.server} did not start (exit code ${child.exitCode})`)
    const plan: ClientPlan = { ...one, address, port, keys: KEYS, window, duration: seconds, partitions: 1 }
    const main = new URL('./client.ts', import.meta.url).pathname
    const [file, args] = pair.command(
      'taskset',
      '-c',
      '1',
      process.execPath,
      '--conditions=source',
      main,
      JSON.stringify(plan),
    )
    const client = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    running.add(client)
    const pid = leafOf(child.pid!)
    let server = 0
    let machine = 0
    let printed = ''
    const limit = setTimeout(() => client.kill('SIGKILL'), 60_000)
    for await (const chunk of client.stdout!) {
      const started = printed.includes('START\n')
      printed += chunk
      if (!started && printed.includes('START\n')) {
        server = processCpu(pid)
        machine = machineCpu()
      }
    }
    clearTimeout(limit)
    running.delete(client)
    const serverCpu = processCpu(pid) - server
    const result = JSON.parse(printed.slice(printed.indexOf('{'))) as ClientResult
    const machineUsed = Math.max(0.01, machineCpu() - machine - idle * result.seconds)
    return {
      ...result,
      window,
      rate: result.operations / result.seconds,
      perServerCpu: result.operations / Math.max(0.01, serverCpu),
      perMachineCpu: result.operations / machineUsed,
      perMachineCpuWithoutClient: result.operations / Math.max(0.01, machineUsed - result.cpu),
    }
  } finally {
    await stop(child)
  }
}

/** CPU seconds a second that the machine uses without us. */
async function idleControl(): Promise<number> {
  const before = machineCpu()
  await sleep(1000)
  return machineCpu() - before
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]
}

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

const cases = CASES.filter(({ name }) => name.includes(only))
let busiest = 0
const taken = new Map<string, Measurement[]>(cases.map(({ name }) => [name, []]))
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < cases.length; i++) {
    const one = cases[(i + round) % cases.length]
    const idle = await idleControl()
    busiest = Math.max(busiest, idle)
    let best: Measurement | undefined
    for (const window of WINDOWS) {
      const measured = await load(one, window, idle)
      if (measured.loss < LOSS && (best === undefined || measured.rate > best.rate)) best = measured
    }
    if (best === undefined) console.error(`${one.name}: every window lost more than ${100 * LOSS} %`)
    else taken.get(one.name)!.push(best)
  }
}
xdp.remove()
kernel.remove()

const rows = cases.map(({ name }) => {
  const all = taken.get(name)!
  const of = (pick: (one: Measurement) => number) => (all.length === 0 ? 0 : median(all.map(pick)))
  return {
    name,
    rounds: all.length,
    opsPerSecond: of((one) => one.rate),
    p50: of((one) => one.p50),
    p99: of((one) => one.p99),
    perServerCpuSecond: of((one) => one.perServerCpu),
    perMachineCpuSecond: of((one) => one.perMachineCpu),
    perMachineCpuSecondWithoutClient: of((one) => one.perMachineCpuWithoutClient),
    window: of((one) => one.window),
    wrong: all.reduce((sum, one) => sum + one.wrong, 0),
  }
})
const k = (value: number) => (value / 1000).toFixed(0).padStart(8)
const us = (value: number) => (value / 1000).toFixed(0).padStart(8)
console.log('medians of paired, rotated rounds; thousands of operations, microseconds')
console.log(`${'case'.padEnd(30)}   ops/s  /server CPU s  /machine CPU s  /machine less client     p50     p99  wrong`)
for (const row of rows) {
  console.log(
    `${row.name.padEnd(30)}${k(row.opsPerSecond)}${k(row.perServerCpuSecond).padStart(15)}${k(row.perMachineCpuSecond).padStart(16)}` +
      `${k(row.perMachineCpuSecondWithoutClient).padStart(22)}${us(row.p50)}${us(row.p99)}${String(row.wrong).padStart(7)}`,
  )
}
if (busiest > 0.1) {
  console.log(
    `\nother programs used up to ${busiest.toFixed(2)} cores meanwhile: the columns of the machine's CPU mean little`,
  )
}
const json = option('json', '')
if (json !== '')
  writeFileSync(
    json,
    JSON.stringify({ rounds, seconds, busiest, keys: KEYS, node: process.version, rows, taken: [...taken] }, null, 2),
  )
process.exit(rows.some((row) => row.wrong > 0) ? 1 : 0)
