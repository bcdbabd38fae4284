import { type Config, compose, type Machine, type ResolvedConfig } from '@parakernel/config'
import type { LoadOptions } from '../load/load-runner.ts'
import type { LoadMemory } from '../load/load-statistics.ts'
import { workloadByName } from '../load/workload.ts'
import type { LoadData } from '../load-partition.ts'
import type { AppSettings } from '../settings.ts'

export function loadOptions(app: AppSettings, partitions: number): LoadOptions {
  return {
    workload: workloadByName(app.workload),
    keys: app.keys,
    duration: app.duration * 1000,
    outstanding: app.outstanding,
    batch: app.batch,
    rate: app.rate,
    seed: app.seed,
    partitions,
    verify: app.verify,
  }
}

/** The load in a machine of its own: on the emulated backend a second NIC of the same network, else a socket of the host. */
export async function startLoad(
  server: ResolvedConfig,
  app: AppSettings,
  address: string,
  memory: LoadMemory,
): Promise<Machine> {
  const { settings } = server
  const { network } = settings
  const emulated = network.backend === 'emulated'
  const config = {
    network: emulated
      ? {
          libos: network.libos,
          backend: network.backend,
          network: network.backendOptions['network'],
          address: `${neighbourOf(address)}/24`,
        }
      : { libos: 'host' },
    frames: { count: 4096 },
    wait: settings.wait,
  } as unknown as Config
  const data: LoadData = {
    options: loadOptions(app, settings.partitions),
    server: { address, port: app.port },
    memory,
  }
  return compose(config, {
    name: 'load',
    partition: new URL(
      import.meta.url.endsWith('.ts') ? '../load-partition.ts' : './load-partition.js',
      import.meta.url,
    ),
    data,
  })
}

/** Another address of the same /24. */
function neighbourOf(address: string): string {
  const parts = address.split('.').map(Number)
  return [...parts.slice(0, 3), parts[3] === 254 ? 1 : parts[3] + 1].join('.')
}
