import { compose, type Machine, type ResolvedConfig } from '@parakernel/config'
import { serverData } from '../commands/program.ts'
import type { StoreLocation } from '../server/foreign-reads.ts'
import type { AppSettings } from '../settings.ts'

/** Starts the server's partitions, and points the device's steering at them where it has any. */
export async function startServer(config: ResolvedConfig, app: AppSettings): Promise<Machine> {
  const machine = await compose(config, {
    name: 'kvs',
    partition: new URL(
      import.meta.url.endsWith('.ts') ? '../server-partition.ts' : './server-partition.js',
      import.meta.url,
    ),
    data: serverData(app),
  })
  const { device, partitions } = machine
  if (device?.capabilities.steering === true && partitions > 1) {
    for (const port of [app.port, app.memcachedPort]) {
      if (port === 0) continue
      device.steer({ protocol: 'udp', destinationPort: [port, port + partitions - 1], queue: 0, spread: partitions })
    }
  }
  if (app.concurrency === 'CREW' && partitions > 1) await shareStores(machine)
  return machine
}

/** Tells every partition where the stores of all of them lie. */
async function shareStores(machine: Machine): Promise<void> {
  const all = Array.from({ length: machine.partitions }, (_, partition) => partition)
  const stores = await Promise.all(all.map((partition) => machine.call<StoreLocation>(partition, 'location')))
  await Promise.all(all.map((partition) => machine.call(partition, 'readOthers', stores)))
}

/** The first address that the server answers to. */
export async function serverAddress(machine: Machine): Promise<string> {
  const [address] = await machine.call<readonly string[]>(0, 'addresses')
  return address === undefined || address === '0.0.0.0' ? '127.0.0.1' : address
}
