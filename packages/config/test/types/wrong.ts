import { defineConfig } from '@parakernel/config'
import type {} from './merged.ts'

// Each line must fail to compile: the type test counts them.
export const configs = [
  // @ts-expect-error no such key
  defineConfig({ netwrok: {} }),
  // @ts-expect-error no such libOS
  defineConfig({ network: { libos: 'tinny' } }),
  // @ts-expect-error no such backend
  defineConfig({ network: { backend: 'my-nik' } }),
  // @ts-expect-error an option of another backend
  defineConfig({ network: { libos: 'tiny', backend: 'my-nic', port: 3 } }),
  // @ts-expect-error an option of another backend, the libOS chosen elsewhere
  defineConfig({ network: { backend: 'my-nic', port: 3 } }),
  // @ts-expect-error nobody has this option
  defineConfig({ network: { libos: 'tiny', colour: 'red' } }),
  // @ts-expect-error nobody has this option
  defineConfig({ network: { colour: 'red' } }),
  // @ts-expect-error an option's type
  defineConfig({ network: { libos: 'tiny', backend: 'my-nic', slot: 3 } }),
  // @ts-expect-error a type that neither of two options of this name has
  defineConfig({ network: { libos: 'tiny', backend: 'my-nic', both: 'x' } }),
  // @ts-expect-error an option's type, the backend chosen elsewhere
  defineConfig({ network: { libos: 'tiny', slot: 3 } }),
  // @ts-expect-error an option of another backend, the libOS a third party's
  defineConfig({ network: { libos: '@acme/stack', backend: 'my-nic', port: 3 } }),
  // @ts-expect-error an option of no libOS, the backend a third party's
  defineConfig({ network: { libos: 'tiny', backend: '@acme/nic', tll: 3 } }),
  // @ts-expect-error the host's stack stands on no backend
  defineConfig({ network: { libos: 'host', backend: 'my-nic' } }),
  // @ts-expect-error an option of a backend on the host's stack
  defineConfig({ network: { libos: 'host', slot: '0000:01:00.0' } }),
  // @ts-expect-error no such probe
  defineConfig({ network: { probes: [{ probe: 'recoder', file: 'a' }] } }),
  // @ts-expect-error a probe's missing option
  defineConfig({ network: { probes: [{ probe: 'recorder' }] } }),
  // @ts-expect-error an option that the probe does not have
  defineConfig({ network: { probes: [{ probe: 'recorder', file: 'a', colour: 'red' }] } }),
  // @ts-expect-error
  defineConfig({ partitions: '2' }),
  // @ts-expect-error
  defineConfig({ cpus: 'some' }),
  // @ts-expect-error
  defineConfig({ wait: { kind: 'doze' } }),
  // @ts-expect-error
  defineConfig({ frames: { cuont: 64 } }),
  // @ts-expect-error
  defineConfig({ heap: '64 parsecs' }),
  // @ts-expect-error
  defineConfig({ memory: 'swap' }),
]
