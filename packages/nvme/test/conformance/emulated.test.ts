import { blockDeviceConformance } from '@parakernel/hal-conformance'
import { type EmulatedSetup, emulatedFixture } from '../support/emulated-fixture.ts'

const cases: Readonly<Record<string, EmulatedSetup>> = {
  'nvme on the emulated controller': {},
  'nvme on the emulated controller, PRPs alone, 512-byte blocks, atomic writes with a boundary': {
    virtual: true,
    controller: { namespaces: [{ blocks: 8192, blockSize: 512 }], sgl: false, atomicUnit: 8, atomicBoundary: 16 },
  },
  'nvme on the emulated controller, latency and reordering on a virtual clock': {
    virtual: true,
    controller: { latency: 20_000, jitter: 40_000, reorder: true, doorbellStride: 2 },
  },
  'nvme on the emulated controller, latency on a real clock': {
    controller: { latency: 20_000, jitter: 50_000 },
  },
  'nvme on the emulated controller, no volatile cache, short queues, two namespaces': {
    virtual: true,
    controller: {
      volatileCache: false,
      queueEntries: 16,
      namespaces: [{ blocks: 4096 }, { blocks: 128, blockSize: 512 }],
    },
  },
  'nvme on the emulated controller, no optional commands': {
    virtual: true,
    controller: { compare: false, writeZeroes: false, deallocate: false, mdts: 1 },
  },
}

for (const [name, setup] of Object.entries(cases)) {
  blockDeviceConformance({
    name,
    setup: () => emulatedFixture(setup),
    operations: 500,
    skip: {
      'memory: submit and complete allocate nothing':
        'the controller model allocates; allocation.test.ts looks at the driver alone',
    },
  })
}
