import { blockDeviceConformance } from '@parakernel/hal-conformance'
import { describe, test } from 'vitest'
import { type QemuOptions, qemuMissing } from './qemu.ts'
import { qtestFixture } from './qtest-fixture.ts'

const machines: Readonly<Record<string, QemuOptions>> = {
  'nvme on the controller of QEMU': {},
  'nvme on the controller of QEMU, 512-byte blocks, two namespaces, short transfers': {
    namespaces: [{ bytes: 8 << 20, blockSize: 512 }, { bytes: 1 << 20 }],
    properties: 'mdts=2',
  },
}

const missing = qemuMissing()
for (const [name, machine] of Object.entries(machines)) {
  if (missing === undefined) {
    blockDeviceConformance({
      name,
      setup: () => qtestFixture(machine),
      operations: 200,
      skip: {
        'memory: submit and complete allocate nothing':
          'messages to QEMU are text; allocation.test.ts looks at the driver alone',
      },
    })
  } else describe(name, () => test('block device conformance', (context) => context.skip(missing)))
}
