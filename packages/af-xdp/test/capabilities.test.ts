import { driverName } from '@parakernel/linux'
import { expect, test } from 'vitest'
import { partialChecksumsOf } from '../src/control/capabilities.ts'
import { Testbed } from './testbed.ts'
import { labMissing } from './veth-fixture.ts'

test.each([
  ['ixgbe', 'native', 'never'],
  ['mlx5_core', 'native', 'never'],
  ['ixgbe', 'skb', 'unmarked'],
  ['veth', 'native', 'unmarked'],
  ['virtio_net', 'native', 'unmarked'],
  [undefined, 'native', 'unmarked'],
] as const)('partial checksums from %s in %s mode: %s', (driver, mode, expected) => {
  expect(partialChecksumsOf(driver, mode)).toBe(expected)
})

test('a veth says what it is, and that checksums may be undone', async (context) => {
  const missing = labMissing()
  if (missing !== undefined) context.skip(missing)
  const bed = new Testbed()
  try {
    const pair = bed.pair({ label: 'cp' })
    expect(driverName(pair.interface)).toBe('veth')
    expect(() => driverName('pk-none')).toThrow(expect.objectContaining({ code: 'ENODEV' }))
    const device = await bed.open({ interface: pair.interface, take: 'all', mode: 'native' })
    expect(device.capabilities.partialChecksums).toBe('unmarked')
  } finally {
    await bed.close()
  }
})
