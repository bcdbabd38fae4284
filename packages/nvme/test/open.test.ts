import { EmulatedNvme } from '@parakernel/emulated'
import { createPlainWindow, FramePool, MonotonicClock, ParakernelError, VirtualClock } from '@parakernel/hal'
import { expect, test } from 'vitest'
import { blockBackend, NvmeDevice, type NvmeOptions, openNvme } from '../src/index.ts'

const context = { clock: new MonotonicClock() }

test('a device model is found by the name of its package, and takes its own options', async () => {
  const device = await blockBackend.open(
    { transport: 'emulated', controller: { serial: 'BYNAME', namespaces: [{ blocks: 100, blockSize: 512 }] } },
    context,
  )
  expect(device).toBeInstanceOf(NvmeDevice)
  expect((device as NvmeDevice).identity.serial).toBe('BYNAME')
  expect([...device.namespaces]).toEqual([[1, 100]])
  await device.close()
})

const bad: Readonly<Record<string, readonly [NvmeOptions, RegExp]>> = {
  'no device': [{}, /option device: is missing .*PCI address/],
  'a transport that is no package': [{ transport: 'warp' }, /npm install @parakernel\/warp/],
  'a package without a controller': [{ transport: 'hal' }, /does not export nvmeTransport/],
  'a depth that is no power of two': [
    { transport: 'emulated', depth: 100 },
    /option depth: is 100, not a power of two/,
  ],
  'a depth out of range': [{ transport: 'emulated', depth: 1 }, /not between 2 and 4096/],
  'a transfer that is no whole pages': [{ transport: 'emulated', maxTransfer: 5000 }, /not a multiple of 4096/],
  'a word where a number belongs': [{ queues: 'two' as unknown as number }, /option queues: is a string/],
  'a word that is not one of the words': [{ writeCache: 'maybe' as 'on' }, /not one of keep, on, off/],
  'an option that is none': [{ speed: 9 } as NvmeOptions, /option speed: is unknown/],
  'a bad option of the model': [
    { transport: 'emulated', controller: { queues: 0 } },
    /emulated NVMe controller, option queues/,
  ],
}

for (const [name, [options, message]] of Object.entries(bad)) {
  test(`${name}: EINVAL that says so`, async () => {
    const error = await blockBackend.open(options, context).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ParakernelError)
    expect((error as ParakernelError).code).toBe('EINVAL')
    expect((error as Error).message).toMatch(message)
  })
}

test('the longest transfer may be as short as a block', async () => {
  const device = await openNvme(new EmulatedNvme({}), { maxTransfer: 4096, namespace: 1 }, context)
  expect(device.capabilities).toMatchObject({ maxTransfer: 1, maxSegments: 2 })
  await device.close()
})

test('fewer queues than asked for, and a depth that the controller can do', async () => {
  const device = await openNvme(
    new EmulatedNvme({ queues: 3, queueEntries: 100 }),
    { queues: 50, depth: 1024 },
    context,
  )
  expect(device.queues).toBe(3)
  expect(device.capabilities.queueDepth).toBe(63)
  await device.close()
})

test('namespaces have capabilities of their own; one that is read only has no writes', async () => {
  const clock = new VirtualClock()
  const controller = new EmulatedNvme(
    { atomicUnit: 8, atomicBoundary: 32, namespaces: [{ blocks: 64 }, { blocks: 64, blockSize: 512, readOnly: true }] },
    clock,
  )
  const device = await openNvme(controller, { namespace: 2 }, { clock })
  expect(device.capabilities).toMatchObject({ blockSize: 512, atomicUnit: 8, atomicBoundary: 32 })
  const window = createPlainWindow(4, { frameSize: 4096, headroom: 0 })
  const grant = device.grant(0, { namespace: 1, firstLba: 0, blocks: 64 }, window)
  expect(grant.capabilities.blockSize).toBe(4096)
  expect(grant.capabilities.opcodes & (1 << 2)).not.toBe(0)
  expect(device.capabilities.opcodes & (1 << 2)).toBe(0)
  expect(() => blockBackend.attach(grant, { pool: new FramePool(createPlainWindow(9)), clock })).toThrow(/EINVAL/)
  await device.close()
})

test('the same controller again and again: nothing of an earlier life is taken for news', async () => {
  const controller = new EmulatedNvme({})
  for (let round = 0; round < 20; round++) {
    const device = await openNvme(controller, { depth: 4 }, context)
    await Promise.all([device.health.smart(), device.health.smart(), device.health.errors()])
    await device.close()
  }
  expect(controller.bus.mappings).toBe(0)
})
