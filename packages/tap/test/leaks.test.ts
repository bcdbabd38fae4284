import { readdirSync } from 'node:fs'
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { backend, type TapOptions } from '../src/index.ts'
import { labMissing } from './bridge-fixture.ts'
import { clock, pause, Testbed } from './testbed.ts'

let bed: Testbed
beforeEach((context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  bed = new Testbed()
})
afterEach(async () => {
  await bed?.close()
})

const descriptors = () => readdirSync('/proc/self/fd').length

test('200 devices that open, fail at some step or close leave no descriptor and no interface behind', {
  timeout: 120_000,
}, async () => {
  const { namespace } = bed.lab
  const open = (more: Partial<TapOptions> = {}) =>
    backend.open({ interface: 'tap0', namespace, queues: 3, ...more }, bed.context)
  const fails = async (code: string, attempt: () => unknown) => {
    await expect((async () => attempt())()).rejects.toMatchObject({ code })
  }
  const window = createPlainWindow(64)
  const tiny = createPlainWindow(64, { frameSize: 320, headroom: 310 })
  const steps: (() => Promise<unknown>)[] = [
    () => fails('ENODEV', () => open({ create: false })),
    () => fails('EINVAL', () => open({ interface: 'lo' })),
    () => fails('ENOENT', () => open({ namespace: 'pk-none' })),
    () => fails('EINVAL', () => open({ hostAddresses: ['10.0.0.2/24', 'nonsense/8'] })),
    async () => {
      const device = await open()
      await fails('EBUSY', () => open())
      await fails('EINVAL', () => device.grant(0, tiny))
      await fails('EINVAL', () => device.grant(7, window))
      await fails('EINVAL', () => device.steer({ protocol: 'udp', destinationAddress: 'x', queue: 0 }))
      device.steer({ protocol: 'udp', destinationAddress: 'fd00::1', queue: 2 })
      device.clearSteering()
      await device.close()
    },
    async () => {
      const device = await open({ offloads: 'all' })
      for (let i = 0; i < 3; i++) {
        const pool = new FramePool(window)
        const queue = backend.attach(device.grant(1, window), { pool, clock })
        queue.detach()
      }
      device.reclaim(device.grant(2, window))
      await device.close()
    },
  ]
  for (const step of steps) await step()
  await pause(200)
  const before = descriptors()
  for (let i = 0; i < 200; i++) await steps[i % steps.length]()
  await expect.poll(descriptors, { timeout: 10_000 }).toBeLessThanOrEqual(before)
  expect(bed.lab.run('ip', 'link')).not.toContain('tap0')
})
