/**
 * The client of the end-to-end benchmark: a plain Linux process, in a namespace. Fills the store, says START, loads it, says
 * what it measured as a line of JSON. The same keys, values, mix and batches for every server.
 */
import { Histogram } from '../../src/load/histogram.ts'
import { LoadRunner } from '../../src/load/load-runner.ts'
import { LATENCY_UNIT, LoadStatistics, loadMemory, PHASE_MEASURING } from '../../src/load/load-statistics.ts'
import { Random } from '../../src/load/random.ts'
import { keyChoiceOf, type Workload } from '../../src/load/workload.ts'
import { BatchTransport } from './batch-transport.ts'
import { MemcachedTcp, MemcachedUdp, type Operation, type PeerClient, paddedValue, Redis } from './clients.ts'

export interface ClientPlan {
  readonly server: 'ours' | 'memcached-udp' | 'memcached-tcp' | 'redis'
  readonly address: string
  readonly port: number
  readonly keys: number
  readonly batch: number
  /** Batches on their way. */
  readonly window: number
  /** Seconds. */
  readonly duration: number
  readonly partitions: number
}

export interface ClientResult {
  readonly operations: number
  readonly seconds: number
  readonly wrong: number
  /** Share of requests that stayed unanswered at first. */
  readonly loss: number
  readonly p50: number
  readonly p99: number
  /** CPU seconds of this process while it measured. */
  readonly cpu: number
}

const KEY_BYTES = 16
const VALUE_BYTES = 64
const GETS = 0.95
const WORKLOAD: Workload = {
  name: 'end-to-end',
  description: '16 B keys, 64 B values, Zipf 0.99, 95 % GET',
  keyBytes: KEY_BYTES,
  valueBytes: VALUE_BYTES,
  mix: { read: GETS, update: 1 - GETS, insert: 0, readModifyWrite: 0 },
  distribution: 'zipf',
}
/** After this long a batch counts as lost, milliseconds. */
const LOST = 200
/** Load before the measurement, in which code is compiled, milliseconds. */
const WARM_UP = 1000

const turn = () => new Promise((resolve) => setImmediate(resolve))
const cpuSeconds = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

async function ours(plan: ClientPlan): Promise<ClientResult> {
  const transport = new BatchTransport(plan.address, plan.port, plan.partitions)
  const statistics = new LoadStatistics(loadMemory())
  const { counters } = statistics
  const runner = new LoadRunner(
    transport,
    {
      workload: WORKLOAD,
      keys: plan.keys,
      duration: plan.duration * 1000 + WARM_UP,
      outstanding: 2 ** Math.floor(Math.log2(plan.batch * plan.window)),
      batch: plan.batch,
      rate: 0,
      seed: 1,
      timeout: LOST,
      partitions: plan.partitions,
    },
    statistics,
  )
  while (counters.get('phase') < PHASE_MEASURING) {
    transport.poll()
    runner.tick()
    await turn()
  }
  const warm = performance.now() + WARM_UP
  while (performance.now() < warm) {
    transport.poll()
    runner.tick()
    await turn()
  }
  const before = runner.engine.statistics()
  const operations = counters.get('operations')
  const warmUp = runner.elapsed
  statistics.latency.clear()
  const cpu = start()
  while (!runner.done) {
    transport.poll()
    runner.tick()
    await turn()
  }
  const after = runner.engine.statistics()
  const result = {
    operations: counters.get('operations') - operations,
    seconds: (runner.elapsed - warmUp) / 1e9,
    wrong: counters.get('wrong') + counters.get('stale') + counters.get('refused'),
    loss: (after.retries - before.retries) / (after.datagramsSent - before.datagramsSent),
    p50: statistics.latency.quantile(0.5) * LATENCY_UNIT,
    p99: statistics.latency.quantile(0.99) * LATENCY_UNIT,
    cpu: cpuSeconds() - cpu,
  }
  await transport.close()
  return result
}

function start(): number {
  console.log('START')
  return cpuSeconds()
}

const clientOf = ({ server, address, port }: ClientPlan): PeerClient =>
  server === 'redis'
    ? new Redis(address, port)
    : server === 'memcached-tcp'
      ? new MemcachedTcp(address, port)
      : new MemcachedUdp(address, port)

const keyOf = (number: number) => `key:${String(number).padStart(KEY_BYTES - 4, '0')}`

async function others(plan: ClientPlan): Promise<ClientResult> {
  // A connection for each batch on its way, so that a pipeline is as deep as it says. UDP needs one socket.
  const clients = Array.from({ length: plan.server === 'memcached-udp' ? 1 : plan.window }, () => clientOf(plan))
  for (let key = 0; key < plan.keys; key += 64) await fill(clients[0], plan, key)
  const random = new Random(1)
  const choice = keyChoiceOf('zipf', plan.keys, random)
  const draw = (): Operation => {
    const key = keyOf(choice.next(random))
    return { key, value: random.unit() < GETS ? undefined : paddedValue(key, VALUE_BYTES) }
  }
  const latency = new Histogram()
  let operations = 0
  let wrong = 0
  let sent = 0
  let lost = 0
  let cpu = 0
  let startedAt = 0
  const warm = performance.now() + WARM_UP
  const end = warm + plan.duration * 1000
  const next = (client: PeerClient) => {
    if (performance.now() >= end) return
    sent++
    const at = performance.now()
    let over = false
    const timer = setTimeout(() => {
      over = true
      lost++
      next(client)
    }, LOST)
    client.send(Array.from({ length: plan.batch }, draw), (result) => {
      if (over) return
      clearTimeout(timer)
      operations += result.answered
      wrong += result.wrong
      const units = ((performance.now() - at) * 1e6) / LATENCY_UNIT
      for (let i = 0; i < result.answered; i++) latency.record(units | 0)
      next(client)
    })
  }
  for (let i = 0; i < plan.window; i++) next(clients[i % clients.length])
  while (performance.now() < end) {
    if (startedAt === 0 && performance.now() >= warm) {
      operations = 0
      sent = 0
      lost = 0
      latency.clear()
      cpu = start()
      startedAt = performance.now()
    }
    if (clients[0].poll === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
    else {
      clients[0].poll()
      await turn()
    }
  }
  const result = {
    operations,
    seconds: (performance.now() - startedAt) / 1000,
    wrong,
    loss: lost / sent,
    p50: latency.quantile(0.5) * LATENCY_UNIT,
    p99: latency.quantile(0.99) * LATENCY_UNIT,
    cpu: cpuSeconds() - cpu,
  }
  for (const client of clients) client.close()
  return result
}

/** Sixteen at a time, and again what was lost. */
async function fill(client: PeerClient, plan: ClientPlan, from: number): Promise<void> {
  for (let first = from; first < Math.min(from + 64, plan.keys); first += 16) {
    const batch = Array.from({ length: Math.min(16, plan.keys - first) }, (_, i) => {
      const key = keyOf(first + i)
      return { key, value: paddedValue(key, VALUE_BYTES) }
    })
    for (let done = false; !done; ) {
      const since = performance.now()
      client.send(batch, () => {
        done = true
      })
      while (!done && performance.now() - since < LOST) {
        client.poll?.()
        await turn()
      }
    }
  }
}

const plan = JSON.parse(process.argv[2]) as ClientPlan
console.log(JSON.stringify(await (plan.server === 'ours' ? ours(plan) : others(plan))))
process.exit(0)
