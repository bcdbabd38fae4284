import { closeSync, fsyncSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { FileExtent } from '@parakernel/linux'
import { fileExtents } from '@parakernel/linux'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { badRanges, blockDeviceFolder, cachesAreDurable } from '../src/control/block-device.ts'
import { mapBadRanges, poisonedRanges } from '../src/control/poison.ts'
import { requiresDisk, Testbed } from './testbed.ts'

let bed: Testbed
beforeEach((context) => {
  bed = new Testbed(context)
})
afterEach(() => bed.close())

/** A device tree as sysfs has it: an NVDIMM region, its block device 259:1, and a partition 259:2. */
function sysfs(domain: string, badblocks: string): string {
  const root = dirname(bed.memoryPath())
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const region = 'devices/ndbus0/region0'
  write(`${region}/persistence_domain`, `${domain}\n`)
  write(`${region}/pfn0.1/block/pmem0/badblocks`, badblocks)
  write(`${region}/pfn0.1/block/pmem0/pmem0p1/partition`, '1\n')
  write(`${region}/pfn0.1/block/pmem0/pmem0p1/start`, '2048\n')
  mkdirSync(join(root, 'dev/block'), { recursive: true })
  symlinkSync(`../../${region}/pfn0.1/block/pmem0`, join(root, 'dev/block/259:1'))
  symlinkSync(`../../${region}/pfn0.1/block/pmem0/pmem0p1`, join(root, 'dev/block/259:2'))
  return root
}

const DISK = 259 * 256 + 1
const PARTITION = 259 * 256 + 2

test('bad blocks and the persistence domain are read from sysfs', () => {
  const root = sysfs('memory_controller', '8 1\n4096 16\n')
  const disk = blockDeviceFolder(DISK, root) as string
  const partition = blockDeviceFolder(PARTITION, root) as string
  expect(badRanges(disk)).toEqual([4096, 512, 2_097_152, 8192])
  expect(badRanges(partition)).toEqual([4096 - 1_048_576, 512, 1_048_576, 8192])
  expect(cachesAreDurable(disk)).toBe(false)
  expect(cachesAreDurable(blockDeviceFolder(PARTITION, sysfs('cpu_cache', '')) as string)).toBe(true)
  expect(blockDeviceFolder(259 * 256 + 9, root)).toBeUndefined()
})

test('a bad range of the device is found in the file, whatever extents lie between', () => {
  const extents = fc
    .array(fc.record({ blocks: fc.integer({ min: 1, max: 4 }), gap: fc.integer({ min: 0, max: 3 }) }), { maxLength: 6 })
    .chain((runs) =>
      fc.shuffledSubarray([...runs.keys()], { minLength: runs.length }).map((order) => layOut(runs, order)),
    )
  const bad = fc.array(fc.tuple(fc.nat(40), fc.integer({ min: 1, max: 6 })), { maxLength: 4 })
  fc.assert(
    fc.property(extents, bad, fc.integer({ min: 1, max: 30 }), (file, list, length) => {
      const expected: number[] = []
      for (const { logical, physical, length: run } of file) {
        for (let i = 0; i < run; i++) {
          const isBad = list.some(([start, count]) => physical + i >= start && physical + i < start + count)
          if (isBad && logical + i < length) expected.push(logical + i)
        }
      }
      const ranges = mapBadRanges(list.flat(), file, length)
      const found: number[] = []
      for (let i = 0; i < ranges.length; i += 2) {
        for (let at = 0; at < ranges[i + 1]; at++) found.push(ranges[i] + at)
        // Ascending, and neighbours are one.
        if (i > 0) expect(ranges[i]).toBeGreaterThan(ranges[i - 2] + ranges[i - 1])
      }
      expect(found).toEqual([...new Set(expected)].sort((a, b) => a - b))
    }),
  )
})

/** Runs of a file, each somewhere else on the device. */
function layOut(runs: readonly { blocks: number; gap: number }[], order: readonly number[]): FileExtent[] {
  const physical: number[] = []
  let at = 0
  for (const i of order) {
    physical[i] = at
    at += runs[i].blocks + runs[i].gap
  }
  let logical = 0
  return runs.map(({ blocks, gap }, i) => {
    const extent = { logical, physical: physical[i], length: blocks }
    logical += blocks + gap
    return extent
  })
}

test('the extents of a real file cover it in order', (context) => {
  requiresDisk(context)
  const path = bed.diskPath()
  const fd = openSync(path, 'w+')
  // Every second page is a hole: more extents than one call returns.
  for (let i = 0; i < 200; i++) writeSync(fd, Buffer.alloc(4096, i), 0, 4096, i * 8192)
  fsyncSync(fd)
  const extents = fileExtents(fd, 200 * 8192, path)
  closeSync(fd)
  expect(extents.map(({ logical }) => logical)).toEqual(Array.from({ length: 200 }, (_, i) => i * 8192))
  expect(extents.every(({ length, physical }) => length === 4096 && physical > 0)).toBe(true)
})

test('a file that lies on a bad block of its device is poisoned there', async (context) => {
  requiresDisk(context)
  const path = bed.diskPath()
  const device = await bed.open({ path, size: 1 << 20 })
  const fd = openSync(path, 'r')
  const [first] = fileExtents(fd, 1 << 20, path)
  const file = { fd, path, byteLength: device.byteLength, device: DISK, abandon: () => {} }
  const sector = (first.physical + 8192) / 512
  expect(poisonedRanges(file, sysfs('', `${sector} 2\n`))).toEqual([8192, 1024])
  expect(poisonedRanges(file, sysfs('', ''))).toEqual([])
  closeSync(fd)
})
