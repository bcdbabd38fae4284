import { readdirSync, readFileSync } from 'node:fs'
import { createFrameWindow, createPlainRegion, createPlainWindow } from '@parakernel/hal'
import { KernelUdpSocket, PacketSocket, queryLink } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { pause, Testbed, until } from './testbed.ts'
import { labMissing } from './veth-fixture.ts'

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
/** Rings, and the tables of receive filters. */
const mappings = () => readFileSync('/proc/self/maps', 'latin1').match(/bpf-map|socket:/g)?.length ?? 0

test('1000 devices that open, fail at some step or close leave no descriptor and no mapping behind', {
  timeout: 120_000,
}, async () => {
  const pair = bed.pair({ label: 'lk', mtu: 3000 })
  const nothing = bed.pair({ label: 'lk2' })
  const open = (more: object) => bed.open({ interface: pair.interface, ringSize: 64, take: 'all', ...more })
  const fails = async (code: string, attempt: () => unknown) => {
    await expect((async () => attempt())()).rejects.toMatchObject({ code })
  }
  const window = createPlainWindow(64, { frameSize: 4096 })
  const small = createPlainWindow(64)
  const misaligned = createFrameWindow({ region: createPlainRegion(8192), frameCount: 2, byteOffset: 2048 })
  const steps: (() => Promise<unknown>)[] = [
    () => fails('ENODEV', () => open({ interface: 'pk-none' })),
    () => fails('EINVAL', () => open({ take: undefined })),
    () => fails('EINVAL', () => open({ take: undefined, addresses: ['10.0.0'] })),
    () => fails('EINVAL', () => open({ ringSize: 100 })),
    () => fails('ENOENT', () => open({ interface: nothing.interface, join: true })),
    async () => {
      const device = await open({ zeroCopy: true })
      await fails('ENOTSUP', () => device.grant(0, window))
      await device.close()
    },
    async () => {
      const device = await open({})
      await fails('EINVAL', () => device.grant(0, small))
      await fails('EINVAL', () => device.grant(0, misaligned))
      await fails('EINVAL', () => device.grant(7, window))
      await device.close()
    },
    async () => {
      const device = await open({ take: undefined, addresses: ['10.0.0.1/24', 'ff02::5'] })
      const grant = device.grant(0, window)
      await fails('EBUSY', () => device.grant(0, window))
      device.take({ ports: ['udp/9'] })
      device.reclaim(grant)
      await fails('ENOTSUP', () => device.steer({ protocol: 'udp', queue: 0 }))
      await device.close()
    },
    async () => {
      const [mine, joined] = [await open({}), await open({ join: true, take: undefined })]
      await fails('EPERM', () => joined.take({ take: 'all' }))
      await joined.close()
      await mine.close()
    },
    async () => {
      await fails('ENODEV', () => new PacketSocket('pk-none'))
      await fails('EADDRNOTAVAIL', () => new KernelUdpSocket('203.0.113.77', 9))
      await fails('ENODEV', () => queryLink('pk-none'))
    },
  ]
  // The loop's own descriptors, and what the first calls bind.
  for (const step of steps) await step()
  await pause(20)
  const before = { descriptors: descriptors(), mappings: mappings() }
  const seen = await open({})
  seen.grant(0, window)
  // Four rings and the filter's table: the count sees what it is to see.
  expect(mappings()).toBe(before.mappings + 5)
  await seen.close()
  for (let i = 0; i < 1000; i++) await steps[i % steps.length]()
  await until('the last references to be dropped', () => descriptors() <= before.descriptors)
  expect({ descriptors: descriptors(), mappings: mappings() }).toEqual(before)
  expect(queryLink(pair.interface).xdpProgramId).toBe(0)
})
