import type { Recovered } from '../persist/recover.ts'
import { partitionReports } from '../run/sampler.ts'
import { serverAddress, startServer } from '../run/start-server.ts'
import { requestOf } from './program.ts'

/** A server until it is told to stop. */
export async function serve(argv: readonly string[]): Promise<void> {
  const request = await requestOf(
    {
      name: 'kvs serve',
      summary: 'runs a server until SIGINT or SIGTERM.',
      examples: [
        'kvs serve --libos host',
        'kvs serve --backend af-xdp --interface eth1 --address 10.0.0.1/24 --partitions 2',
      ],
    },
    argv,
  )
  if (request === undefined) return
  const { app, config } = request
  const machine = await startServer(config, app)
  const last = machine.partitions - 1
  const range = (port: number) => (last === 0 ? `${port}` : `${port}-${port + last}`)
  const memcached = app.memcachedPort === 0 ? '' : `, memcached at ${range(app.memcachedPort)}`
  console.log(`serving at ${await serverAddress(machine)}, native at ${range(app.port)}${memcached}`)
  if (app.persistence !== 'none') {
    const found = await Promise.all(
      Array.from({ length: machine.partitions }, (_, i) => machine.call<Recovered>(i, 'recovered')),
    )
    const sum = (of: (one: Recovered) => number) => found.reduce((total, one) => total + of(one), 0)
    if (machine.storageDevice?.capabilities.persistence === 'none') {
      console.error('What is written lives as long as this process: give the storage a path')
    }
    console.log(`recovered from the log: ${sum(({ puts }) => puts)} puts, ${sum(({ deletes }) => deletes)} deletes`)
  }
  if (config.settings.network.backend === 'emulated') {
    console.error('Nobody outside this process is on its emulated network: try --libos host, or --backend af-xdp')
  }
  const hourly = setInterval(() => {
    partitionReports(machine).then(
      (reports) => console.log(`${reports.reduce((sum, report) => sum + report.store.requests, 0)} requests so far`),
      () => {},
    )
  }, 3_600_000)
  hourly.unref()
  const exit = await machine.exited
  clearInterval(hourly)
  if (exit.reason === 'failed') throw exit.error
}
