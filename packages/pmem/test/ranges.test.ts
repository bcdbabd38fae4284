import { Worker } from 'node:worker_threads'
import { attachPersistentRegion, createPlainRegion, type ErrorCode, persistentCopy } from '@parakernel/hal'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PmemOptions } from '../src/options.ts'
import { Testbed } from './testbed.ts'

let bed: Testbed
beforeEach((context) => {
  bed = new Testbed(context)
})
afterEach(() => bed.close())

const withCode = (code: ErrorCode) => expect.objectContaining({ code })
const variants: readonly [string, Omit<PmemOptions, 'path'>][] = [
  ['pages', { size: 1 << 20 }],
  ...(process.arch === 'x64' ? [['cache lines', { size: 1 << 20, force: true }] as const] : []),
].map(([name, options]) => [name as string, options as Omit<PmemOptions, 'path'>])

describe.each(variants)('%s', (_name, options) => {
  const open = () => bed.open({ path: bed.memoryPath(), ...options })

  test('ranges do not overlap, and are free again when given back or taken away', async () => {
    const device = await open()
    const grant = device.grant({ byteOffset: 65_536, byteLength: 65_536 }, 7)
    for (const [byteOffset, byteLength] of [
      [65_536, 65_536],
      [0, 69_632],
      [126_976, 8192],
      [0, 1 << 20],
    ]) {
      expect(() => device.grant({ byteOffset, byteLength }), `${byteOffset}`).toThrow(withCode('EBUSY'))
    }
    const neighbour = bed.attach(device, 0, 65_536)
    const region = await attachPersistentRegion(grant, bed.context)
    await expect(attachPersistentRegion(grant, bed.context)).rejects.toThrow(withCode('ESTALE'))
    region.persist([0, 65_536])
    region.detach()
    region.detach()
    expect(() => region.persist([0, 8])).toThrow(withCode('ESTALE'))
    expect(() => region.drain()).toThrow(withCode('ESTALE'))

    const second = device.grant({ byteOffset: 65_536, byteLength: 65_536 })
    const holder = await attachPersistentRegion(second, bed.context)
    device.reclaim(structuredClone({ ...second, transport: { ...second.transport, region: undefined as never } }))
    device.reclaim(second)
    expect(() => holder.flush([0, 8])).toThrow(withCode('ESTALE'))
    bed.attach(device, 65_536, 65_536).persist([0, 8])
    neighbour.persist([65_535, 1])
  })

  test('a range that is outside, or not aligned, gets EINVAL', async () => {
    const device = await open()
    const { granularity } = device.capabilities
    for (const [byteOffset, byteLength] of [
      [0, 0],
      [0, (1 << 20) + granularity],
      [-granularity, granularity],
      [granularity / 2, granularity],
      [0, granularity + 1],
      [0.5, granularity],
      [Number.NaN, granularity],
    ]) {
      expect(() => device.grant({ byteOffset, byteLength }), `${byteOffset} ${byteLength}`).toThrow(withCode('EINVAL'))
    }
  })

  test('a flush of what is outside of the range gets EINVAL, and flushes nothing', async () => {
    const device = await open()
    const region = bed.attach(device, 65_536, 65_536)
    for (const bad of [[0], [-1, 8], [65_536, 1], [0, 65_537], [0, 8, 0.5, 8], [8, -8], [0, Number.NaN]]) {
      expect(() => region.flush(bad), String(bad)).toThrow(withCode('EINVAL'))
      expect(() => region.persist(Float64Array.from(bad)), String(bad)).toThrow(withCode('EINVAL'))
    }
    region.flush([])
    region.flush([65_536, 0, 0, 0])
    region.flush(Float64Array.of(0, 1, 65_535, 1))
    region.drain()
    region.drain()
    // More ranges than one foreign call takes.
    region.persist(Array.from({ length: 4000 }, (_, i) => (i & 1 ? 8 : (i >> 1) * 16)))
  })

  test('a copy from other memory arrives, of any length and alignment, and nothing beside it changes', async () => {
    const device = await open()
    const region = bed.attach(device, 65_536, 65_536)
    const source = createPlainRegion(65_536)
    const from = new Uint8Array(source.buffer)
    for (let i = 0; i < from.length; i++) from[i] = 1 + (Math.imul(i, 2_654_435_761) >>> 25)
    const copy = persistentCopy(region, source)
    const bytes = new Uint8Array(region.region.buffer)
    fc.assert(
      fc.property(fc.nat(65_536), fc.nat(65_536), fc.nat(700), fc.boolean(), (offset, at, most, persist) => {
        const length = Math.min(most, 65_536 - offset, 65_536 - at)
        bytes.fill(0, 65_000, 131_600)
        if (persist) copy.persist(offset, at, length)
        else copy.copy(offset, at, length)
        region.drain()
        const expected = new Uint8Array(66_600)
        expected.set(from.subarray(at, at + length), 536 + offset)
        expect(Buffer.compare(bytes.subarray(65_000, 131_600), expected)).toBe(0)
      }),
    )
    for (const [offset, at, length] of [
      [-1, 0, 8],
      [0, -1, 8],
      [65_529, 0, 8],
      [0, 65_529, 8],
      [0, 0, -8],
      [0.5, 0, 8],
      [0, 0, Number.NaN],
    ]) {
      expect(() => copy.copy(offset, at, length), `${offset} ${at} ${length}`).toThrow(withCode('EINVAL'))
      expect(() => copy.persist(offset, at, length)).toThrow(withCode('EINVAL'))
    }
    region.detach()
    expect(() => copy.copy(0, 0, 8)).toThrow(withCode('ESTALE'))
  })

  test('a closed device has no holders', async () => {
    const device = await open()
    const region = bed.attach(device)
    await device.close()
    await device.close()
    expect(() => region.flush([0, 8])).toThrow(withCode('ENODEV'))
    expect(() => device.grant({ byteOffset: 0, byteLength: 4096 })).toThrow(withCode('ENODEV'))
  })

  test('a worker holds a range: its stores are in the same memory, and it writes them back', async () => {
    const device = await open()
    const grant = device.grant({ byteOffset: 4096, byteLength: 8192 }, 3)
    const worker = new Worker(new URL('fixtures/holder.ts', import.meta.url), {
      workerData: grant,
      execArgv: ['--conditions=source'],
    })
    const answer = await new Promise((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    })
    await worker.terminate()
    expect(answer).toEqual({ byteOffset: 4096, byteLength: 8192, sum: 8192 * 5 })
    const bytes = new Uint8Array(bed.attach(device).region.buffer)
    expect(bytes.indexOf(5)).toBe(4096)
    expect(bytes.lastIndexOf(5)).toBe(12_287)
  })

  test('a grant of another process gets ENOTSUP', async () => {
    const device = await open()
    const grant = device.grant({ byteOffset: 0, byteLength: 4096 })
    const foreign = { ...grant, transport: { ...grant.transport, process: process.pid + 1 } }
    await expect(attachPersistentRegion(foreign, bed.context)).rejects.toThrow(withCode('ENOTSUP'))
  })

  test('a poisoned range reads as such, and its flush gets EIO', async () => {
    const device = await open()
    const grant = device.grant({ byteOffset: 8192, byteLength: 65_536 })
    const poisoned = [4096, 4608, 12_288, 512, 20_480, 512, 200_000, 512]
    const region = await attachPersistentRegion({ ...grant, transport: { ...grant.transport, poisoned } }, bed.context)
    // Bytes 8192 to 8704 of the device, and two blocks further on.
    expect([0, 511, 512, 4095, 4096, 4607, 4608, 12_288, 12_800].map((at) => region.poisonedFrom(at))).toEqual([
      0, 511, 4096, 4096, 4096, 4607, 12_288, 12_288, -1,
    ])
    expect(() => region.flush([512, 8, 4000, 97])).toThrow(withCode('EIO'))
    expect(() => region.persist([0, 65_536])).toThrow(withCode('EIO'))
    region.persist([512, 3584, 4608, 7680, 12_800, 8])
    const copy = persistentCopy(region, createPlainRegion(65_536))
    expect(() => copy.persist(4000, 0, 97)).toThrow(withCode('EIO'))
    copy.persist(4000, 0, 96)
  })
})
