import type { Config } from './config.ts'

/** What a name in `preset` stands for. */
export const PRESETS: Readonly<Record<string, Config>> = {
  emulated: { network: { libos: 'net', backend: 'emulated' } },
  host: { network: { libos: 'host' } },
  'af-xdp': { network: { libos: 'net', backend: 'af-xdp' } },
  tap: { network: { libos: 'net', backend: 'tap' } },
} as unknown as Readonly<Record<string, Config>>

/** What a backend needs and nobody outside this process has a stake in. */
export const BACKEND_DEFAULTS: Readonly<Record<string, object>> = {
  emulated: { network: { address: '10.0.0.1/24' } },
}
