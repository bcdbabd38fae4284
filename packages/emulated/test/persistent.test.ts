import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { attachPersistentRegion, VirtualClock } from '@parakernel/hal'
import { expect, test } from 'vitest'
import { EmulatedPersistentMemory, type PersistentOptions } from '../src/index.ts'

async function open(options: PersistentOptions = {}) {
  const memory = new EmulatedPersistentMemory({ size: 8192, ...options })
  const grant = memory.grant({ byteOffset: 4096, byteLength: 4096 })
  const region = await attachPersistentRegion(grant, { clock: new VirtualClock() })
  const bytes = new Uint8Array(region.region.buffer, region.byteOffset, region.byteLength)
  return { memory, grant, region, bytes }
}

/** All remainders of the first words over many power cuts. */
async function outcomes(work: (opened: Awaited<ReturnType<typeof open>>) => void, options: PersistentOptions = {}) {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 100; seed++) {
    const opened = await open(options)
    work(opened)
    let state = seed
    opened.memory.powerCut(() => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
      return (state >>> 8) / 0x80_0000
    })
    const { bytes } = opened
    seen.add([0, 8, 64].map((at) => bytes[at]).join(' '))
  }
  return [...seen].sort()
}

test('what was persisted survives, the rest by words', async () => {
  expect(
    await outcomes(({ region, bytes }) => {
      bytes[0] = 1
      bytes[8] = 1
      region.persist([0, 16])
      bytes[8] = 2
      bytes[64] = 2
    }),
  ).toEqual(['1 1 0', '1 1 2', '1 2 0', '1 2 2'])
})

test('a flush without a drain promises nothing, and covers whole lines but nothing stored after it', async () => {
  expect(
    await outcomes(({ region, bytes }) => {
      bytes[0] = 1
      region.flush([0, 1])
    }),
  ).toEqual(['0 0 0', '1 0 0'])
  expect(
    await outcomes(({ region, bytes }) => {
      bytes[0] = 1
      bytes[8] = 1
      region.flush([0, 1])
      bytes[8] = 2
      region.drain()
    }),
  ).toEqual(['1 1 0', '1 2 0'])
})

test.each([1, 64, 4096] as const)('a granularity of %i moves that much', async (granularity) => {
  const seen = await outcomes(
    ({ region, bytes }) => {
      for (const at of [0, 8, 64]) bytes[at] = 1
      region.persist([0, 8])
    },
    { granularity },
  )
  expect(seen.length).toBe(granularity === 1 ? 4 : granularity === 64 ? 2 : 1)
})

test('poison is told, and flushing it fails', async () => {
  const { memory, region } = await open()
  expect(region.poisonedFrom(0)).toBe(-1)
  memory.poison(4096 + 200, 1)
  expect(region.poisonedFrom(0)).toBe(192)
  expect(region.poisonedFrom(200)).toBe(200)
  expect(region.poisonedFrom(256)).toBe(-1)
  expect(() => region.flush([0, 64, 128, 128])).toThrow(expect.objectContaining({ code: 'EIO' }))
  region.flush([0, 192])
  memory.clearPoison(4096 + 200, 1)
  region.flush([128, 128])
})

test('a restored content is all that there is', async () => {
  const { memory, bytes } = await open()
  bytes[0] = 5
  memory.restore(new Uint8Array(8192).fill(7))
  expect([bytes[0], memory.durable[0]]).toEqual([7, 7])
  memory.powerCut(Math.random)
  expect(bytes[0]).toBe(7)
})

test('an image file holds what was drained', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'persistent-'))
  const path = join(directory, 'image')
  const first = await open({ path })
  first.bytes[0] = 1
  first.bytes[64] = 1
  first.region.persist([0, 8])
  const crashed = await open({ path })
  expect([crashed.bytes[0], crashed.bytes[64]]).toEqual([1, 0])
  await first.memory.close()
  await crashed.memory.restore(new Uint8Array(8192).fill(9))
  await crashed.memory.close()
  expect((await open({ path })).bytes[0]).toBe(9)
  expect(() => new EmulatedPersistentMemory({ path, size: 4096 })).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  rmSync(directory, { recursive: true })
})
