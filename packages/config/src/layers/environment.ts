import type { Layer } from './layer.ts'

const ENVIRONMENT_PREFIX = 'PARAKERNEL_'
/** Names the config file; not a setting. */
export const ENVIRONMENT_FILE = 'PARAKERNEL_CONFIG'
/** Names the directory of sockets that `observe.socket: auto` means; not a setting either. */
export const RUNTIME_DIRECTORY = 'PARAKERNEL_RUNTIME_DIRECTORY'
const NO_SETTINGS: readonly string[] = [ENVIRONMENT_FILE, RUNTIME_DIRECTORY]

/** `PARAKERNEL_NETWORK__BACKEND=af-xdp`: two underscores part the path, one stands inside a name. Empty variables are unset. */
export function environmentLayer(environment: Readonly<Record<string, string | undefined>>): Layer {
  const entries = Object.entries(environment)
    .filter(([name, value]) => name.startsWith(ENVIRONMENT_PREFIX) && !NO_SETTINGS.includes(name) && value)
    .map(([name, value]) => ({
      path: name.slice(ENVIRONMENT_PREFIX.length).replaceAll('__', '.'),
      value,
      origin: { layer: 'environment', name } as const,
    }))
  return { entries, loose: true }
}
