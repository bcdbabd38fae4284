import { netDeviceConformance } from '@parakernel/hal-conformance'
import { emulatedFixture, type FixtureOptions } from './support/fixture.ts'

const bare = {
  checksumVerify: false,
  checksumCompute: false,
  transmitSegmentation: false,
  maxChain: 1,
  vlan: false,
  hash: false,
  timestamps: false,
  steering: false,
  rss: false,
  receiveFilter: false,
} as const

const devices: Readonly<Record<string, FixtureOptions>> = {
  'emulated, every offload': {},
  'emulated, four queues': { nic: { queues: 4 } },
  'emulated, no offload': { nic: bare, wire: bare },
  'emulated, four queues, no offload but RSS': { nic: { ...bare, queues: 4, rss: true }, wire: bare },
  'emulated, direct cable': { topology: 'direct' },
  'emulated, partial checksums, aligned': { nic: { partialChecksums: 'marked', transmitAlignment: 8 } },
  'emulated, unmarked partial checksums': { nic: { partialChecksums: 'unmarked', checksumVerify: false } },
  'emulated, latency and a rate under a virtual clock': {
    virtual: true,
    nic: { latency: 5_000, rate: 10e9, queues: 2 },
    wire: { latency: 1_000, rate: 10e9 },
  },
}

for (const [name, options] of Object.entries(devices)) {
  netDeviceConformance({ name, setup: () => emulatedFixture(options) })
}
