import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { blockDeviceConformance } from '@parakernel/hal-conformance'
import { afterAll } from 'vitest'
import { type DiskFixtureOptions, diskFixture } from '../support/disk-fixture.ts'

const directory = mkdtempSync(join(tmpdir(), 'disk-conformance-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0

const disks: Readonly<Record<string, () => DiskFixtureOptions>> = {
  'emulated disk': () => ({}),
  'emulated disk, four queues, small blocks, out of order': () => ({
    disk: { queues: 4, blockSize: 512, reorder: true, memoryAlignment: 4 },
  }),
  'emulated disk, no volatile cache, atomic writes': () => ({
    virtual: true,
    disk: { volatileCache: false, atomicUnit: 4, atomicBoundary: 8, blockSize: 512 },
  }),
  'emulated disk, atomic writes in a volatile cache, page rule, two namespaces': () => ({
    virtual: true,
    disk: { namespaces: [2048, 64], atomicUnit: 2, segmentPage: 4096, queues: 2 },
  }),
  'emulated disk, latency and jitter under a virtual clock': () => ({
    virtual: true,
    disk: { latency: 5_000, jitter: 20_000, queues: 2, blockSize: 512 },
  }),
  'emulated disk, latency under a real clock': () => ({ disk: { latency: 20_000, jitter: 50_000, queues: 2 } }),
  'emulated disk, reads and writes alone': () => ({
    virtual: true,
    disk: { opcodes: ['read', 'write'], volatileCache: false, maxSegments: 1, maxTransfer: 2 },
  }),
  'emulated disk over an image file': () => ({
    disk: { path: join(directory, `image${files++}`), blocks: 512, blockSize: 512 },
  }),
}

for (const [name, options] of Object.entries(disks)) {
  blockDeviceConformance({ name, setup: () => diskFixture(options()) })
}
