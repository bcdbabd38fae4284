import { setTimeout as sleep } from 'node:timers/promises'
import { DgramTransport } from '../client/dgram-transport.ts'
import { KvsClient } from '../client/kvs-client.ts'
import { LoadRunner } from '../load/load-runner.ts'
import { LoadStatistics, loadMemory, PHASE_MEASURING } from '../load/load-statistics.ts'
import { formatCount, formatDuration } from '../report/format.ts'
import { Progress } from '../report/progress.ts'
import { resultTable } from '../report/table.ts'
import { failuresOf, latencyOf, type RunResult } from '../run/result.ts'
import { Sampler } from '../run/sampler.ts'
import { loadOptions } from '../run/start-load.ts'
import { writeReport } from '../run/write-report.ts'
import type { AppSettings } from '../settings.ts'
import { INTERRUPTED } from './exit-codes.ts'
import { requestOf } from './program.ts'

/** A load against a server elsewhere, over a UDP socket of this host. */
export async function load(argv: readonly string[]): Promise<void> {
  const request = await requestOf(
    {
      name: 'kvs load',
      summary: 'loads a server over a UDP socket of this host, and checks every value.',
      examples: ['kvs load --server 10.0.0.1 --workload ycsb-b --duration 10', 'kvs load --app.rate 100000 --json'],
    },
    argv,
    // Nothing is composed here, so no backend has to be installed or configured.
    { network: { libos: 'host' } },
  )
  if (request === undefined) return
  const { app } = request
  endWithParent()
  const result = await loadServer(app)
  if (app.json) console.log(JSON.stringify({ ...result, latency: { ...result.latency, curve: undefined } }))
  else {
    console.log(resultTable(result))
    const path = await writeReport(result, app.report)
    if (path !== undefined) console.log(`\nreport: ${path}`)
  }
  const failures = failuresOf(result)
  for (const failure of failures) console.error(`FAILED: ${failure}`)
  process.exitCode = failures.length === 0 ? 0 : 1
}

/** Started by `kvs af-xdp`, a load ends when that process is gone: the server is gone with it. */
function endWithParent(): void {
  if (process.channel === undefined) return
  process.once('disconnect', () => process.exit(INTERRUPTED))
  process.channel?.unref()
}

async function loadServer(app: AppSettings): Promise<RunResult> {
  const server = { address: app.server, port: app.port }
  const partitions = await discover(server)
  const transport = new DgramTransport(server)
  const statistics = new LoadStatistics(loadMemory())
  const runner = new LoadRunner(transport, loadOptions(app, partitions), statistics)
  const progress = new Progress()
  let sampler: Sampler | undefined
  let nextSample = 0
  while (!runner.done) {
    runner.tick()
    const now = performance.now()
    if (now >= nextSample) {
      nextSample = now + 250
      if (statistics.counters.get('phase') >= PHASE_MEASURING) {
        sampler ??= new Sampler(statistics, undefined)
        const sample = await sampler.sample()
        progress.update(
          `${sample.time.toFixed(1).padStart(5)} s  ${formatCount(sample.rate)} op/s  p99 ${formatDuration(sample.p99)}`,
        )
      } else
        progress.update(`filling: ${formatCount(statistics.counters.get('filled'))} of ${formatCount(app.keys)} keys`)
    }
    // Datagrams arrive in the turns of the loop. Where nothing is to be sent for a while, the core is left alone.
    await new Promise((resolve) => setImmediate(resolve))
  }
  progress.end()
  const seconds = runner.elapsed / 1e9
  await transport.close()
  return {
    title: `parakernel kvs, ${app.workload} against ${app.server}:${app.port}`,
    setting: [
      ['workload', app.workload],
      ['keys', app.keys.toLocaleString('en')],
      ['loop', app.rate > 0 ? `open, ${app.rate.toLocaleString('en')} operations/s` : 'closed'],
      ['outstanding', `${app.outstanding}`],
      ['operations in a datagram', `up to ${app.batch}`],
      ['Node.js', process.version],
    ],
    seconds,
    load: statistics.counters.snapshot(),
    latency: latencyOf(statistics.latency),
    partitions: [],
    device: undefined,
    samples: sampler?.samples ?? [],
  }
}

/** Asks the server how many partitions it has. @throws ETIMEDOUT when nobody answers */
async function discover(server: { readonly address: string; readonly port: number }): Promise<number> {
  const client = new KvsClient(new DgramTransport(server))
  try {
    await client.connect(5000)
    return client.partitions
  } finally {
    await client.close()
    await sleep(0)
  }
}
