/**
 * End to end over a veth pair: our server on AF_XDP against memcached (UDP and TCP) and redis on the kernel's stack, with the
 * same Linux client in a namespace on the other core, the same keys, values, mix and batches. Needs root, iproute2, taskset,
 * memcached, redis-server, and two free cores.
 *
 * The client's UDP is a plain kernel socket that moves batches by sendmmsg and recvmmsg, for our server and for memcached
 * alike; TCP is Node's. A second of the same load comes before what is measured.
 *
 * Of each case the window of batches counts that did most with less than 0.1 % lost. CPU is the server process's, and the
 * whole machine's (softirq included) less what it used without load; the client's own share is in the latter, and the last
 * column of the two is without it.
 */
import { execFileSync } from 'node:child_process'
import { probeLab } from '@parakernel/linux'
import { type BenchCase, benchCases } from '@parakernel/tool-bench'
import { idleControl, type Load, load } from './load.ts'
import { Bed, PROGRAM, type ServerKind } from './servers.ts'

const KEYS = 50_000
const WINDOWS = [4, 16, 64]
const LOSS = 0.001
const SECONDS = 2

const SERVERS: Readonly<
  Record<string, { readonly server: ServerKind; readonly batch: number; readonly peer?: string }>
> = {
  'ours on AF_XDP, 16 a packet': { server: 'ours', batch: 16, peer: 'redis, pipeline 16' },
  'memcached UDP, multi-get 16': { server: 'memcached-udp', batch: 16, peer: 'redis, pipeline 16' },
  'memcached TCP, pipeline 16': { server: 'memcached-tcp', batch: 16, peer: 'redis, pipeline 16' },
  'redis, pipeline 16': { server: 'redis', batch: 16 },
  'ours on AF_XDP, 1 a packet': { server: 'ours', batch: 1, peer: 'redis, unpipelined' },
  'memcached UDP, 1 a packet': { server: 'memcached-udp', batch: 1, peer: 'redis, unpipelined' },
  'redis, unpipelined': { server: 'redis', batch: 1 },
}

async function endToEnd(server: ServerKind, batch: number) {
  const bed = new Bed(server)
  let best: Load | undefined
  let idle = 0
  for (const window of WINDOWS) {
    const before = await idleControl()
    idle = Math.max(idle, before)
    const plan = { keys: KEYS, batch, window, duration: SECONDS, partitions: 1 }
    const one = await load(bed, plan, before)
    if (one.wrong > 0) throw new Error(`${one.wrong} values were not those that were written`)
    if (one.loss < LOSS && (best === undefined || rate(one) > rate(best))) best = one
  }
  bed.pair.remove()
  if (best === undefined) throw new Error(`every window lost more than ${100 * LOSS} %`)
  const thousand = best.operations / 1000
  return {
    value: rate(best) / 1000,
    'k/server CPU s': thousand / best.serverCpu,
    'k/machine CPU s': thousand / best.machineCpu,
    'less client': thousand / (best.machineCpu - best.cpu),
    'p50 us': best.p50 / 1000,
    'p99 us': best.p99 / 1000,
    window: best.window,
    'others, cores': idle,
  }
}

function rate({ operations, seconds }: Load): number {
  return operations / seconds
}

function missing(name: string): string | undefined {
  const lab = probeLab()
  if (!lab.available) return `needs ${lab.missing}. ${lab.remedy}`
  for (const program of ['taskset', PROGRAM[SERVERS[name].server]]) {
    if (program === undefined) continue
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    } catch {
      return `needs ${program}. Run tools/setup/system-packages.sh --bench`
    }
  }
  return undefined
}

const cases = Object.entries(SERVERS).map(([name, { server, batch }]): [string, BenchCase] => [
  name,
  () => endToEnd(server, batch),
])
await benchCases(
  import.meta,
  {
    title: 'end to end over veth, 16 B keys, 64 B values, Zipf 0.99, 95 % GET',
    unit: 'k operations/s',
    better: 'more',
    baseline: (name) => SERVERS[name].peer,
    compare: ['k/server CPU s', 'k/machine CPU s', 'less client', 'p99 us'],
    unavailable: missing,
  },
  Object.fromEntries(cases),
)
