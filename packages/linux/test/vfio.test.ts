import { existsSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  blockUsers,
  IovaAllocator,
  listPciDevices,
  memlockLimit,
  openVfioDevice,
  readPciDevice,
  VfioContainer,
} from '../src/index.ts'
import { memlockRemedy } from '../src/vfio/memlock.ts'

const PAGE = 4096

describe('bus addresses', () => {
  test('are given out once, within the ranges, aligned, and all come back', () => {
    const ranges = [
      { first: 0, last: 0x10_0000 - 1 },
      { first: 0x20_0000, last: 0x80_0000 - 1 },
    ]
    const step = fc.record({
      pages: fc.integer({ min: 1, max: 64 }),
      alignment: fc.constantFrom(PAGE, 16 * PAGE, 2 << 20),
      free: fc.boolean(),
      which: fc.nat(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const allocator = new IovaAllocator(ranges, PAGE)
        const held: { first: number; bytes: number }[] = []
        for (const { pages, alignment, free, which } of steps) {
          if (free && held.length > 0) {
            const [{ first, bytes }] = held.splice(which % held.length, 1)
            allocator.free(first, bytes)
            continue
          }
          const bytes = pages * PAGE
          let first: number
          try {
            first = allocator.allocate(bytes, alignment)
          } catch (error) {
            expect(error).toMatchObject({ code: 'ENOMEM' })
            continue
          }
          expect(first % alignment).toBe(0)
          expect(first).toBeGreaterThanOrEqual(PAGE)
          expect(ranges.some((range) => first >= range.first && first + bytes - 1 <= range.last)).toBe(true)
          for (const other of held)
            expect(first + bytes <= other.first || other.first + other.bytes <= first).toBe(true)
          held.push({ first, bytes })
        }
        for (const { first, bytes } of held) allocator.free(first, bytes)
        // What is whole again can be given out whole.
        expect(allocator.allocate(0x60_0000, PAGE)).toBe(0x20_0000)
      }),
    )
  })

  test('address 0 is never one, and a full range is named', () => {
    const allocator = new IovaAllocator([{ first: 0, last: 4 * PAGE - 1 }], PAGE)
    expect(allocator.allocate(3 * PAGE, PAGE)).toBe(PAGE)
    expect(() => allocator.allocate(PAGE, PAGE)).toThrow(expect.objectContaining({ code: 'ENOMEM', subject: 'IOMMU' }))
  })
})

describe('PCI devices', () => {
  test.each(['', 'nvme0', '0000:00:1f', '0000:00:20.0', '../0000:00:00.0', '0000:00:00.8'])(
    '%j is no address',
    (address) => {
      expect(() => readPciDevice(address)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
    },
  )

  test('one that is not there is ENODEV, with those that are', () => {
    expect(() => readPciDevice('fffe:fe:1f.7')).toThrow(
      expect.objectContaining({ code: 'ENODEV', subject: 'fffe:fe:1f.7' }),
    )
    expect(() => openVfioDevice('fffe:fe:1f.7')).toThrow(expect.objectContaining({ code: 'ENODEV' }))
  })

  test('those that are there say what they are', (context) => {
    const devices = listPciDevices()
    if (devices.length === 0) return context.skip('this machine shows no PCI devices')
    for (const device of devices) {
      expect(device.vendor).toBeGreaterThan(0)
      expect(readPciDevice(device.address)).toEqual(device)
      expect(Array.isArray(blockUsers(device.address))).toBe(true)
    }
  })

  test('without VFIO in the kernel the container is refused, with the way out', (context) => {
    if (existsSync('/dev/vfio/vfio')) return context.skip('this machine has VFIO')
    expect(() => new VfioContainer('0000:00:04.0')).toThrow(
      expect.objectContaining({
        code: 'ENOTSUP',
        subject: '0000:00:04.0',
        remedy: expect.stringContaining('modprobe vfio-pci'),
      }),
    )
  })
})

test('the remedy for pinned memory names the limit that would do', () => {
  const limit = memlockLimit()
  expect(limit).toBeGreaterThan(0)
  const remedy = memlockRemedy(1 << 20)
  if (Number.isFinite(limit)) expect(remedy).toContain(`ulimit -l ${Math.ceil((limit + (1 << 20)) / 1024)}`)
  else expect(remedy).toContain('1048576 bytes')
})
