import { expect, test } from 'vitest'
import {
  ControlBlock,
  formatMac,
  GRANT_ATTACHED,
  GRANT_DETACHED,
  GRANT_FREE,
  GRANT_RECLAIMED,
  GRANT_REMOVED,
  parseMac,
} from '../src/index.ts'

test('one of two who attach wins', () => {
  const device = new ControlBlock()
  const holders = [new ControlBlock(device.buffer), new ControlBlock(device.buffer)]
  expect(holders.map((holder) => holder.transition(GRANT_FREE, GRANT_ATTACHED))).toEqual([true, false])
  expect(device.state).toBe(GRANT_ATTACHED)
})

test('every change moves the epoch on, a refused one does not', () => {
  const block = new ControlBlock()
  const epochs = [block.epoch]
  const step = (change: () => void) => {
    change()
    epochs.push(block.epoch)
  }
  step(() => block.transition(GRANT_FREE, GRANT_ATTACHED))
  step(() => block.transition(GRANT_FREE, GRANT_DETACHED))
  step(() => {
    block.linkUp = true
  })
  step(() => {
    block.mtu = 9000
  })
  step(() => {
    block.mac = '02:00:00:00:00:01'
  })
  step(() => block.end(GRANT_REMOVED))
  expect(epochs.map((epoch) => epoch - epochs[0])).toEqual([0, 1, 1, 2, 3, 4, 5])
})

test('the end comes from any state, and nobody attaches or detaches after it', () => {
  for (const end of [GRANT_RECLAIMED, GRANT_REMOVED]) {
    for (const before of [GRANT_FREE, GRANT_ATTACHED, GRANT_DETACHED]) {
      const block = new ControlBlock()
      block.transition(GRANT_FREE, before)
      block.end(end)
      expect(block.state).toBe(end)
      expect(block.transition(GRANT_FREE, GRANT_ATTACHED)).toBe(false)
      expect(block.transition(GRANT_ATTACHED, GRANT_DETACHED)).toBe(false)
    }
  }
})

test('both halves see link, MTU and MAC', () => {
  const device = new ControlBlock()
  const holder = new ControlBlock(structuredClone(device.buffer))
  expect([holder.linkUp, holder.mtu]).toEqual([false, 0])
  device.linkUp = true
  device.mtu = 1500
  for (const mac of ['02:00:00:00:00:01', 'ff:ff:ff:ff:ff:ff', '80:81:82:83:84:85', '00:00:00:00:00:00']) {
    device.mac = mac
    expect(holder.mac).toBe(mac)
  }
  expect([holder.linkUp, holder.mtu]).toEqual([true, 1500])
  device.linkUp = false
  expect(holder.linkUp).toBe(false)
})

test('MAC addresses as text and bytes', () => {
  expect([...parseMac('0A:1b:2C:3d:4E:5f')]).toEqual([10, 27, 44, 61, 78, 95])
  expect(formatMac(Uint8Array.of(9, 9, 0, 1, 2, 253, 254, 255), 2)).toBe('00:01:02:fd:fe:ff')
  for (const bad of [
    '',
    '02:00:00:00:00',
    '02:00:00:00:00:01:02',
    '02-00-00-00-00-01',
    '2:0:0:0:0:1',
    'gg:00:00:00:00:00',
  ]) {
    expect(() => parseMac(bad), bad).toThrow(expect.objectContaining({ code: 'EINVAL', remedy: expect.any(String) }))
  }
})
