import { cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Machine } from '@parakernel/config'
import { LoadStatistics, loadMemory, PHASE_DONE, PHASE_MEASURING } from '../load/load-statistics.ts'
import { workloadByName } from '../load/workload.ts'
import { formatCount, formatDuration } from '../report/format.ts'
import { Progress } from '../report/progress.ts'
import { resultTable } from '../report/table.ts'
import { failuresOf, latencyOf, type RunResult } from '../run/result.ts'
import { partitionReports, Sampler } from '../run/sampler.ts'
import { startLoad } from '../run/start-load.ts'
import { serverAddress, startServer } from '../run/start-server.ts'
import { writeReport } from '../run/write-report.ts'
import type { AppSettings } from '../settings.ts'
import { INTERRUPTED } from './exit-codes.ts'
import { type Request, requestOf } from './program.ts'

const SAMPLE_PERIOD = 250

/** Server and load in one process: the main job. */
export async function run(argv: readonly string[]): Promise<void> {
  // A core is left for the load, where there is more than one.
  const partitions = Math.max(1, Math.min(4, cpus().length - 1))
  const request = await requestOf(
    {
      name: 'kvs run',
      summary: 'starts a server and a load against it, checks every value, and writes a report.',
      examples: [
        'kvs',
        'kvs run --partitions 2 --workload ycsb-a',
        'kvs run --libos host',
        'kvs run --app.rate 500000',
      ],
    },
    argv,
    { partitions },
  )
  if (request === undefined) return
  const result = await measure(request)
  if (result === undefined) return
  console.log(resultTable(result))
  const path = await writeReport(result, request.app.report)
  if (path !== undefined) console.log(`\nreport: ${path}`)
  const failures = failuresOf(result)
  for (const failure of failures) console.error(`FAILED: ${failure}`)
  process.exitCode = failures.length === 0 ? 0 : 1
}

/** Undefined when the run was interrupted. */
async function measure({ config, app }: Request): Promise<RunResult | undefined> {
  const server = await startServer(config, app)
  let load: Machine | undefined
  try {
    const memory = loadMemory()
    load = await startLoad(config, app, await serverAddress(server), memory)
    return await watch(server, load, new LoadStatistics(memory), app)
  } finally {
    await load?.stop()
    await server.stop()
  }
}

async function watch(
  server: Machine,
  load: Machine,
  statistics: LoadStatistics,
  app: AppSettings,
): Promise<RunResult | undefined> {
  const progress = new Progress()
  const { counters } = statistics
  let stopped = false
  const onExit = () => {
    stopped = true
  }
  void server.exited.then(onExit)
  void load.exited.then(onExit)
  await load.call(0, 'start')
  while (!stopped && counters.get('phase') < PHASE_MEASURING) {
    progress.update(`filling: ${formatCount(counters.get('filled'))} of ${formatCount(app.keys)} keys`)
    await sleep(50)
  }
  const sampler = new Sampler(statistics, server)
  if (!stopped) await sampler.sample()
  while (!stopped && counters.get('phase') < PHASE_DONE) {
    await sleep(SAMPLE_PERIOD)
    if (stopped || counters.get('phase') === PHASE_DONE) break
    const sample = await sampler.sample()
    progress.update(
      `${sample.time.toFixed(1).padStart(5)} s  ${formatCount(sample.rate)} op/s  p50 ${formatDuration(sample.p50)}  ` +
        `p99 ${formatDuration(sample.p99)}  wrong ${counters.get('wrong') + counters.get('stale')}`,
    )
  }
  progress.end()
  if (stopped) {
    const exit = await Promise.race([server.exited, load.exited])
    if (exit.reason === 'failed') throw exit.error
    process.exitCode = INTERRUPTED
    return undefined
  }
  const seconds = (await load.call<number>(0, 'elapsed')) / 1e9
  const { settings } = server.config
  const workload = workloadByName(app.workload)
  return {
    title: `parakernel kvs, ${app.workload} on ${settings.network.backend ?? settings.network.libos}`,
    setting: [
      ['workload', `${workload.name}: ${workload.description}`],
      ['keys', app.keys.toLocaleString('en')],
      ['loop', app.rate > 0 ? `open, ${app.rate.toLocaleString('en')} operations/s` : 'closed'],
      ['outstanding', `${app.outstanding}`],
      ['operations in a datagram', `up to ${app.batch}`],
      ['libOS, backend', `${settings.network.libos}, ${settings.network.backend ?? 'none'}`],
      ['partitions', `${settings.partitions}`],
      ['store', `${app.mode}, ${(settings.heap / 2 ** 20).toFixed(0)} MiB a partition`],
      ['waiting', settings.wait.kind],
      ['machine', `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}`],
      ['Node.js', process.version],
    ],
    seconds,
    load: counters.snapshot(),
    latency: latencyOf(statistics.latency),
    partitions: await partitionReports(server),
    device: (await server.statistics()).device,
    samples: sampler.samples,
  }
}
