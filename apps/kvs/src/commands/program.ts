import { randomBytes } from 'node:crypto'
import { type Config, type Program, type ResolvedConfig, readRequest } from '@parakernel/config'
import { workloadByName } from '../load/workload.ts'
import type { ServerData } from '../server-partition.ts'
import { APP_SPECS, type AppSettings } from '../settings.ts'

/** Bytes that a partition gets for its store unless a config says otherwise: 200,000 small items several times over. */
const DEFAULTS: Config = { heap: '128MiB', frames: { count: 4096 } }

export interface Request {
  readonly config: ResolvedConfig
  readonly app: AppSettings
}

/**
 * The config that a command line, the environment and a file come to; undefined when something was printed instead, with the
 * process's exit code set.
 */
export async function requestOf(
  command: { readonly name: string; readonly summary: string; readonly examples?: readonly string[] },
  argv: readonly string[],
  defaults: Config = {},
): Promise<Request | undefined> {
  const program = (extra: Config): Program => ({
    ...command,
    application: import.meta.url,
    app: APP_SPECS,
    defaults: merge(merge(DEFAULTS, defaults), extra),
  })
  let request = await readRequest(program({}), argv)
  if (request.kind === 'run' && needsQueues(request.config)) {
    // A queue for each partition, unless somebody says otherwise.
    const queues = { network: { queues: request.config.settings.partitions } } as Config
    request = await readRequest(program(queues), argv)
  }
  if (request.kind === 'print') {
    if (request.exitCode === 0) console.log(request.text)
    else console.error(request.text)
    process.exitCode = request.exitCode
    return undefined
  }
  if (request.positionals.length > 0) {
    console.error(`${command.name}: takes no words, only settings: ${request.positionals.join(' ')}`)
    process.exitCode = 2
    return undefined
  }
  return { config: request.config, app: request.config.settings.app as unknown as AppSettings }
}

function needsQueues({ settings }: ResolvedConfig): boolean {
  const { queues } = settings.network.backendOptions
  return settings.network.backend !== undefined && typeof queues === 'number' && queues < settings.partitions
}

function merge(under: Config, over: Config): Config {
  return {
    ...under,
    ...over,
    ...(under.network || over.network ? { network: { ...under.network, ...over.network } as Config['network'] } : {}),
  } as Config
}

/** What the partitions of a server are told. The key that cookies are made with is new in every run. */
export function serverData(app: AppSettings): ServerData {
  const { keyBytes, valueBytes } = workloadByName(app.workload)
  return {
    port: app.port,
    memcachedPort: app.memcachedPort,
    guard: app.guard,
    mode: app.mode,
    concurrency: app.concurrency,
    persistence: app.persistence,
    durability: app.durability,
    key: new Uint8Array(randomBytes(16)),
    expectedItemBytes: keyBytes + valueBytes,
  }
}
