import { type LoadOptions, loadConfig, type ResolvedConfig } from '@parakernel/config'
import { ParakernelError } from '@parakernel/hal'
import { formatIpv4, parseIpv4, type SocketAddress } from '@parakernel/queue'
import type { Example } from '../example.ts'
import type { CommonSettings } from './settings.ts'

/** An end of an example with what it runs on. */
export interface Place {
  readonly end: Example['ends'][number]
  readonly here: SocketAddress
  /** Undefined for one that runs elsewhere. */
  readonly config: ResolvedConfig | undefined
}

/**
 * Where each end of an example is, and the config of those that run here: the first one has the config as it is; the others have
 * it with the next address, or the network that `peer` says.
 * @param program how `config` was loaded
 * @throws EINVAL for ends that there are not; ConfigError for a `peer` that is wrong
 */
export async function placesOf(example: Example, config: ResolvedConfig, program: LoadOptions): Promise<Place[]> {
  const settings = config.settings.app as unknown as CommonSettings
  const names = example.ends.map(({ name }) => name)
  const elsewhere = new Map((settings.at ?? []).map((text) => text.split('=', 2) as [string, string]))
  for (const name of [...(settings.end ?? []), ...elsewhere.keys()]) {
    if (!names.includes(name)) {
      const remedy = `Name one of ${names.join(', ')}`
      throw new ParakernelError('EINVAL', `has no end ${JSON.stringify(name)}`, { subject: example.name, remedy })
    }
  }
  const mine = (settings.end ?? names).filter((name) => !elsewhere.has(name))
  if (mine.length === 0) {
    throw new ParakernelError('EINVAL', 'no end is left to run here', { subject: example.name, remedy: 'Shorten --at' })
  }
  checkCable(example, config, settings, mine)

  const places: Place[] = []
  for (const [i, end] of example.ends.entries()) {
    const port = settings.port + i
    const address = elsewhere.get(end.name)
    if (!mine.includes(end.name)) {
      if (address !== undefined) places.push({ end, here: { address, port }, config: undefined })
      continue
    }
    const isAcross = i > 0 && mine.length > 1 && example.inTurn !== true
    const own = await configOf(config, program, isAcross ? i : 0, end.acts === true)
    places.push({ end, here: { address: ownAddress(own), port }, config: own })
  }
  return places
}

/** A peer on the same interface is nobody: a cable has two ends. */
function checkCable(example: Example, { settings }: ResolvedConfig, { peer }: CommonSettings, mine: readonly string[]) {
  const { interface: cable } = settings.network.backendOptions
  if (cable === undefined || peer !== undefined || mine.length === 1 || example.inTurn === true) return
  throw new ParakernelError('EINVAL', `${mine.join(' and ')} cannot all be on it`, {
    subject: `interface ${String(cable)}`,
    remedy: `Say what the others run on (--peer '{"libos":"host"}'), or run one end here (--end ${mine[0]})`,
  })
}

/** @param across which of the ends beyond the first it is; 0 for one that stands on the config's own network */
async function configOf(
  config: ResolvedConfig,
  program: LoadOptions,
  across: number,
  acts: boolean,
): Promise<ResolvedConfig> {
  const { peer } = config.settings.app as unknown as CommonSettings
  const changes: Record<string, unknown> = {}
  if (acts && config.settings.partitions > 1) changes['partitions'] = 1
  if (across > 0) {
    const { address } = config.settings.network.libosOptions
    if (peer !== undefined) for (const [key, value] of Object.entries(peer)) changes[`network.${key}`] = value
    else if (config.backend !== undefined && typeof address === 'string') {
      changes['network.address'] = nextAddress(address, across)
    }
  }
  if (Object.keys(changes).length === 0) return config
  return loadConfig({ ...program, ...withChanges(config, changes, peer !== undefined && across > 0) })
}

/** What somebody has set in a config, changed in some places. */
function withChanges({ values, origins }: ResolvedConfig, changes: Record<string, unknown>, isOtherNetwork: boolean) {
  const kept = [...values].filter(
    ([path]) => origins.get(path)?.layer !== 'default' && !(isOtherNetwork && path.startsWith('network.')),
  )
  return {
    flags: { ...Object.fromEntries(kept), ...changes },
    environment: false,
    directory: false,
    file: undefined,
  } as const
}

function nextAddress(address: string, by: number): string {
  const [ip, length] = address.split('/')
  return `${formatIpv4(parseIpv4(ip) + by)}/${length}`
}

/** Where others reach it, and where it binds: nothing beyond this machine, unless the config names an address. */
function ownAddress({ settings }: ResolvedConfig): string {
  const { address } = settings.network.libosOptions
  return typeof address === 'string' ? address.split('/')[0] : '127.0.0.1'
}
