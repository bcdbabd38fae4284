import { defineConfig } from '@parakernel/config'
import type {} from './merged.ts'

export const configs = [
  defineConfig({}),
  defineConfig({ network: {} }),
  defineConfig({
    network: { libos: 'tiny', backend: 'my-nic', slot: '0000:01:00.0', address: '10.0.0.1/24', queues: 2 },
  }),
  defineConfig({ network: { libos: 'tiny', backend: 'my-nic', both: true } }),
  defineConfig({ network: { libos: 'tiny', backend: 'my-nic', both: 3 } }),
  // A layer need not be complete.
  defineConfig({ network: { libos: 'tiny', backend: 'my-nic' } }),
  // What is chosen elsewhere may have any option that one of them has.
  defineConfig({ preset: 'lab', network: { slot: '0000:01:00.0', ttl: 3 } }),
  defineConfig({ network: { libos: 'tiny', port: 3 } }),
  defineConfig({ network: { backend: 'my-nic', ttl: 3 } }),
  defineConfig({ network: { libos: 'host' } }),
  defineConfig({ network: { libos: 'tiny', backend: 'my-nic', probes: [{ probe: 'recorder', file: 'a', limit: 3 }] } }),
  // Packages that declare no types.
  defineConfig({ network: { backend: '@acme/nic' } }),
  defineConfig({ network: { backend: '@acme/nic', ...{ whatever: true } } }),
  defineConfig({ network: { backend: 'parakernel-nic', libos: 'tiny', ttl: 3, ...{ whatever: true } } }),
  defineConfig({ network: { libos: '@acme/stack', backend: 'my-nic', slot: '1', ...{ whatever: 3 } } }),
  defineConfig({ network: { probes: [{ probe: '@acme/probe', whatever: 3 }] } }),
  defineConfig({
    partitions: 2,
    cpus: [2, 3],
    wait: { kind: 'spin' },
    frames: { count: 64 },
    heap: '64MiB',
    memory: 'memfd',
  }),
  defineConfig({ cpus: 'auto', heap: 4096, app: { port: 7 } }),
]
