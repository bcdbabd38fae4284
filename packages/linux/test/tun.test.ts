import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import {
  addLinkAddress,
  calls,
  createLabNamespace,
  openTunQueue,
  parseAddress,
  queryLink,
  setLink,
  setTunOffload,
  setTunPersistent,
  TUN_F_CSUM,
  tunMissing,
} from '../src/index.ts'
import { requiresLab } from './requirements.ts'

describe('TAP queues', () => {
  test('make an interface that goes with the last of them', (context) => {
    requiresLab(context)
    using lab = createLabNamespace({ label: 'tunq' })
    lab.inside(() => {
      expect(tunMissing()).toBeUndefined()
      const queues = [0, 1, 2].map(() => openTunQueue({ interface: 'tap0', multiQueue: true }))
      expect(queryLink('tap0').tun).toMatchObject({ kind: 'tap', multiQueue: true, virtioHeader: true, queues: 3 })
      expect(setTunOffload(queues[0], TUN_F_CSUM, 'tap0')).toBe(true)
      expect(setTunOffload(queues[0], 0x4000_0000, 'tap0')).toBe(false)
      for (const queue of queues) calls().close(queue)
      expect(() => queryLink('tap0')).toThrow(expect.objectContaining({ code: 'ENODEV' }))
    })
  })

  test('of one process are refused to another, and of one kind to another', (context) => {
    requiresLab(context)
    using lab = createLabNamespace({ label: 'tunb' })
    lab.inside(() => {
      const queue = openTunQueue({ interface: 'tap0', multiQueue: false })
      expect(() => openTunQueue({ interface: 'tap0', multiQueue: false })).toThrow(
        expect.objectContaining({ code: 'EBUSY', subject: 'tap0', remedy: expect.stringContaining('another name') }),
      )
      expect(() => openTunQueue({ interface: 'tap0', multiQueue: true })).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      )
      setTunPersistent(queue, true, 'tap0')
      calls().close(queue)
      expect(queryLink('tap0').tun?.persistent).toBe(true)
    })
  })
})

describe('settings of an interface', () => {
  test('are made in one message, and read back', (context) => {
    requiresLab(context)
    using lab = createLabNamespace({ label: 'tuns' })
    lab.inside(() => {
      const queue = openTunQueue({ interface: 'tap0', multiQueue: false })
      const { index } = queryLink('tap0')
      const mac = Uint8Array.of(2, 0, 0, 0, 0, 5)
      setLink(index, {
        up: true,
        mtu: 1400,
        mac,
        transmitQueueLength: 64,
        maxSegmentedSize: 30_000,
        ipv6AutoAddress: false,
      })
      addLinkAddress(index, '10.5.0.1/24')
      addLinkAddress(index, '10.5.0.1/24')
      addLinkAddress(index, 'fd05::1/64')
      expect(queryLink('tap0')).toMatchObject({ up: true, running: true, mtu: 1400, mac, transmitQueueLength: 64 })
      const shown = execFileSync('ip', ['-d', 'addr', 'show', 'tap0'], { encoding: 'utf8' })
      expect(shown).toContain('gso_max_size 30000')
      expect(shown).toContain('inet 10.5.0.1/24')
      expect(shown).toContain('inet6 fd05::1/64')
      expect(shown).not.toContain('fe80')
      expect(() => setLink(index, { mtu: 1 }, 'tap0')).toThrow(expect.objectContaining({ code: 'EINVAL' }))
      for (const wrong of ['10.5.0.1', '10.5.0/24', '10.5.0.1/33', 'fd05::1/129', '']) {
        expect(() => addLinkAddress(index, wrong), wrong).toThrow(expect.objectContaining({ code: 'EINVAL' }))
      }
      calls().close(queue)
      expect(() => setLink(index, { up: true })).toThrow(expect.objectContaining({ code: 'ENODEV' }))
    })
  })
})

test('addresses as text', () => {
  expect(parseAddress('192.0.2.7')).toEqual(Uint8Array.of(192, 0, 2, 7))
  expect(parseAddress('::')).toEqual(new Uint8Array(16))
  expect(parseAddress('fd00:0:0:1::2')).toEqual(Uint8Array.of(0xfd, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2))
  expect(parseAddress('::ffff:1.2.3.4')).toEqual(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 1, 2, 3, 4))
  expect(parseAddress('1:2:3:4:5:6:7:8')).toHaveLength(16)
  for (const wrong of ['', '1.2.3', '1.2.3.4.5', 'fe80::1%eth0', '1:2', 'host'])
    expect(parseAddress(wrong)).toBeUndefined()
})
