import { spawnSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { attachPersistentRegion, MonotonicClock } from '@parakernel/hal'
import { fileExtents } from '@parakernel/linux'
import { type PmemDevice, type PmemOptions, persistentBackend } from '@parakernel/pmem'
import { describe, expect, test } from 'vitest'
import { DAX_DEVICE, daxFolder } from '../../support/dax.ts'

const SIZE = 4 << 20
const warnings: string[] = []
const context = { clock: new MonotonicClock(), warn: (message: string) => warnings.push(message) }

const open = (options: PmemOptions) => persistentBackend.open(options, context) as Promise<PmemDevice>
const attach = (device: PmemDevice) =>
  attachPersistentRegion(device.grant({ byteOffset: 0, byteLength: device.byteLength }), context)

describe('persistent memory with DAX', () => {
  test('is written back by cache line, onto the medium, without a warning', async () => {
    const device = await open({ path: `${daxFolder()}/line`, size: SIZE })
    expect(device.capabilities).toEqual({ granularity: 64, persistence: 'media' })
    expect(device.guarantee).toContain('MAP_SYNC')
    expect(warnings).toEqual([])
    await device.close()
  })

  test('what was persisted is on the device, where the file says, without any sync', async () => {
    const path = `${daxFolder()}/line`
    const device = await open({ path, granularity: 'cache-line' })
    const region = await attach(device)
    const bytes = new Uint8Array(region.region.buffer)
    const ranges: number[] = []
    for (let i = 0; i < 500; i++) {
      bytes.fill(1 + (i % 255), i * 8192 + 100, i * 8192 + 4196)
      ranges.push(i * 8192 + 100, 4096)
    }
    region.persist(ranges)
    // The device below the file system: reads of it go past the page cache, which has nothing of a DAX file.
    const file = openSync(path, 'r')
    const extents = fileExtents(file, SIZE, path)
    closeSync(file)
    const disk = openSync(`/dev/${DAX_DEVICE}`, constants.O_RDONLY)
    const found = Buffer.alloc(SIZE)
    for (const { logical, physical, length } of extents) {
      readSync(disk, found, logical, Math.min(length, SIZE - logical), physical)
    }
    closeSync(disk)
    expect(found.equals(Buffer.from(bytes))).toBe(true)
    region.detach()
    await device.close()
    expect(readFileSync(path)[100]).toBe(1)
  })

  test('by page, msync reaches the medium', async () => {
    const device = await open({ path: `${daxFolder()}/page`, size: SIZE, granularity: 'page' })
    expect(device.capabilities).toEqual({ granularity: 4096, persistence: 'media' })
    const region = await attach(device)
    new Uint8Array(region.region.buffer)[5000] = 9
    region.persist([5000, 1])
    await device.close()
    expect(readFileSync(`${daxFolder()}/page`)[5000]).toBe(9)
  })

  test('a bad block of the device is poison in the file: named, refused by a flush, and deadly to a load', async () => {
    const path = `${daxFolder()}/poison`
    // What was never stored to has no place on the medium, and reads as zeros.
    writeFileSync(path, Buffer.alloc(SIZE, 7), { flush: true })
    const file = openSync(path, 'r')
    const [{ physical }] = fileExtents(file, SIZE, path)
    closeSync(file)
    // As the driver does when the platform reports one.
    writeFileSync(`/sys/block/${DAX_DEVICE}/badblocks`, `${(physical + 65_536) / 512} 8`)
    const device = await open({ path })
    const region = await attach(device)
    expect(region.poisonedFrom(0)).toBe(65_536)
    expect(region.poisonedFrom(65_536 + 4096)).toBe(-1)
    expect(() => region.persist([0, 128, 69_000, 1000])).toThrow({ code: 'EIO' })
    region.persist([0, 65_536, 69_632, 4096])
    region.detach()
    await device.close()

    const reader = `
      const { persistentBackend: backend } = await import('@parakernel/pmem')
      const context = { clock: { now: () => 0n } }
      const device = await backend.open({ path: ${JSON.stringify(path)} }, context)
      const region = backend.attach(device.grant({ byteOffset: 0, byteLength: device.byteLength }), context)
      new Uint8Array(region.region.buffer)[65_536 + 10]
    `
    const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', reader], { timeout: 60_000 })
    expect(signal).toBe('SIGBUS')
  })
})
