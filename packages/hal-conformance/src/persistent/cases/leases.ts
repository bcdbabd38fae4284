import { attachPersistentRegion } from '@parakernel/hal'
import { expect } from 'vitest'
import { errorOf } from '../../errors.ts'
import type { PersistentGroup } from '../case.ts'

/** Grants of ranges: who may have what, and in which order. */
export const leases: PersistentGroup = {
  name: 'leases',
  cases: [
    {
      title: 'a device says what it is',
      run: ({ device, range }) => {
        expect(device.name).not.toBe('')
        const { granularity, persistence } = device.capabilities
        expect(Math.log2(granularity) % 1).toBe(0)
        expect(['media', 'host-crash', 'process-crash', 'none']).toContain(persistence)
        expect(device.byteLength).toBeGreaterThanOrEqual(range.byteOffset + range.byteLength)
        expect(range.byteLength).toBeGreaterThanOrEqual(65_536)
        expect(structuredClone(device.capabilities)).toEqual(device.capabilities)
      },
    },
    {
      title: 'a grant is plain data, attaches from its clone, and gives its bytes',
      run: async (session) => {
        const grant = structuredClone(session.grant())
        expect(grant.range).toEqual(session.range)
        expect(grant.capabilities).toEqual(session.device.capabilities)
        const { region, bytes } = await session.attach(grant)
        expect(region.byteLength).toBe(session.range.byteLength)
        expect(region.byteOffset % 8).toBe(0)
        bytes[0] = 1
        bytes[bytes.length - 1] = 2
        expect([bytes[0], bytes[bytes.length - 1]]).toEqual([1, 2])
      },
    },
    {
      title: 'ranges that overlap get EBUSY, others do not',
      run: (session) => {
        const { unit } = session
        const { byteOffset } = session.range
        session.grant({ byteOffset: byteOffset + 2 * unit, byteLength: 4 * unit })
        for (const [at, units] of [
          [2, 4],
          [0, 3],
          [5, 1],
          [3, 1],
          [0, 8],
        ]) {
          const error = errorOf(() => session.grant({ byteOffset: byteOffset + at * unit, byteLength: units * unit }))
          expect(error.code, `${at} ${units}`).toBe('EBUSY')
        }
        session.grant({ byteOffset, byteLength: 2 * unit })
        session.grant({ byteOffset: byteOffset + 6 * unit, byteLength: unit })
      },
    },
    {
      title: 'a range that is not in the device, or not made of whole units, gets EINVAL',
      run: (session) => {
        const { device, unit } = session
        const { granularity } = device.capabilities
        for (const [byteOffset, byteLength] of [
          [-unit, unit],
          [0, 0],
          [0, -unit],
          [0, device.byteLength + unit],
          [Math.ceil(device.byteLength / unit) * unit, unit],
          [0.5, unit],
          [Number.NaN, unit],
          ...(granularity > 1
            ? [
                [granularity / 2, granularity],
                [0, granularity / 2],
              ]
            : []),
        ]) {
          expect(errorOf(() => session.grant({ byteOffset, byteLength })).code, `${byteOffset} ${byteLength}`).toBe(
            'EINVAL',
          )
        }
        session.grant()
      },
    },
    {
      title: 'a grant attaches once, and not after it was reclaimed',
      run: async (session) => {
        const grant = session.grant()
        const held = await session.attach(grant)
        const again = () => attachPersistentRegion(grant, session.fixture.context)
        await expect(again()).rejects.toMatchObject({ code: 'ESTALE' })
        session.close(held)
        await expect(again()).rejects.toMatchObject({ code: 'ESTALE' })
        const unused = session.grant()
        session.device.reclaim(unused)
        await expect(attachPersistentRegion(unused, session.fixture.context)).rejects.toMatchObject({ code: 'ESTALE' })
      },
    },
    {
      title: 'a range that was given back is granted again with its content',
      run: async (session) => {
        const first = await session.open()
        first.bytes.fill(0x5a, 0, 256)
        first.region.persist([0, 256])
        session.close(first)
        const second = await session.open()
        expect(second.bytes.subarray(0, 256).every((byte) => byte === 0x5a)).toBe(true)
        second.region.detach()
        second.region.detach()
        session.device.reclaim(second.region.grant)
        session.device.reclaim(structuredClone(session.grant()))
        await session.open()
      },
    },
    {
      title: 'reclaiming twice changes nothing, also when the range has a new owner',
      run: async (session) => {
        const first = session.grant()
        session.device.reclaim(first)
        session.device.reclaim(first)
        const { region, bytes } = await session.open()
        session.device.reclaim(first)
        bytes[0] = 7
        region.persist([0, 1])
        expect(errorOf(() => session.grant()).code).toBe('EBUSY')
      },
    },
    {
      title: 'holders of two ranges do not see each other',
      run: async (session) => {
        const { byteOffset } = session.range
        const { unit } = session
        const one = await session.open({ byteOffset, byteLength: 2 * unit })
        const two = await session.open({ byteOffset: byteOffset + 2 * unit, byteLength: 2 * unit })
        one.bytes.fill(1)
        two.bytes.fill(2)
        one.region.persist([0, 2 * unit])
        two.region.persist([0, 2 * unit])
        expect(one.bytes.every((byte) => byte === 1)).toBe(true)
        expect(two.bytes.every((byte) => byte === 2)).toBe(true)
        session.close(one)
        two.bytes[0] = 3
        two.region.persist([0, 1])
      },
    },
    {
      title: 'a closed device grants nothing (ENODEV), and closes twice',
      ends: true,
      run: async (session) => {
        const { region } = await session.open()
        region.persist([0, 8])
        await session.device.close()
        await session.device.close()
        expect(errorOf(() => session.device.grant(session.range)).code).toBe('ENODEV')
      },
    },
  ],
}
