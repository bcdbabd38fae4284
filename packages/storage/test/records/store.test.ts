import { BLOCK_READ } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { makeRecords, openRecords, RecordBatch } from '../../src/index.ts'
import { faultyMedium } from '../support/faulty-medium.ts'
import { createRig } from '../support/rig.ts'

const BLOCK = 512
const bytesOf = (text: string) => Buffer.from(text, 'latin1')
const value = (i: number, length = 300) => new Uint8Array(length).fill(i)

describe('a full store', () => {
  it('refuses with ENOSPC, keeps what it has, and takes more when something is deleted', async () => {
    const rig = createRig({ blocks: 256, blockSize: BLOCK })
    await rig.run(async () => {
      await makeRecords(rig.medium)
      let store = await openRecords(rig.medium)
      let stored = 0
      await expect(
        (async () => {
          for (;;) {
            await store.put(bytesOf(`key ${stored}`), value(stored))
            stored++
          }
        })(),
      ).rejects.toMatchObject({ code: 'ENOSPC' })
      expect(stored).toBeGreaterThan(100)
      expect(store.usage.liveBytes).toBeLessThanOrEqual(store.usage.limitBytes)
      // Overwriting is no growth, and goes on for ever: compaction keeps up.
      for (let i = 0; i < 3 * stored; i++) await store.put(bytesOf(`key ${i % stored}`), value(i))
      for (let i = 0; i < 10; i++) await store.delete(bytesOf(`key ${i}`))
      for (let i = 0; i < 5; i++) await store.put(bytesOf(`more ${i}`), value(i))
      expect(store.counters.get('movedBytes')).toBeGreaterThan(0)
      await store.close()
      store = await openRecords(rig.medium)
      expect(store.usage.keys).toBe(stored - 5)
      for (let i = 10; i < stored; i++) {
        expect(await store.get(bytesOf(`key ${i}`))).toEqual(value(2 * stored + i))
      }
      expect(await store.get(bytesOf('key 3'))).toBeUndefined()
      await store.close()
    })
  })

  it('refuses a key and a value that are too long, and a batch that never fits', async () => {
    const rig = createRig({ blocks: 256, blockSize: BLOCK })
    await rig.run(async () => {
      await makeRecords(rig.medium)
      const store = await openRecords(rig.medium)
      await expect(store.put(bytesOf('long'), new Uint8Array(30_000))).rejects.toMatchObject({ code: 'EMSGSIZE' })
      expect(() => new RecordBatch().put(new Uint8Array(70_000), value(1))).toThrow(/65535/)
      const batch = new RecordBatch()
      for (let i = 0; i < 400; i++) batch.put(bytesOf(`batch ${i}`), value(i))
      await expect(store.write(batch)).rejects.toMatchObject({ code: 'ENOSPC' })
      expect(store.usage.keys).toBe(0)
      await store.put(bytesOf('a'), value(1))
      await store.close()
    })
  })
})

describe('a batch longer than a record of the log', () => {
  it('is one change', async () => {
    const rig = createRig({ blocks: 512, blockSize: BLOCK })
    await rig.run(async () => {
      await makeRecords(rig.medium, { recordLimit: 2048 })
      let store = await openRecords(rig.medium, { cacheBytes: 0 })
      const before = store.snapshot()
      const batch = new RecordBatch()
      for (let i = 0; i < 60; i++) batch.put(bytesOf(`key ${i}`), value(i))
      await store.write(batch)
      expect(store.has(bytesOf('key 0'), before)).toBe(false)
      expect(store.has(bytesOf('key 59'), before)).toBe(false)
      before.release()
      await store.close()
      store = await openRecords(rig.medium, { cacheBytes: 0 })
      const values = await store.getMany(Array.from({ length: 60 }, (_, i) => bytesOf(`key ${i}`)))
      expect(values).toEqual(Array.from({ length: 60 }, (_, i) => value(i)))
      await store.close()
    })
  })
})

describe('checkpoints', () => {
  it('make opening begin where they are', async () => {
    const rig = createRig({ blocks: 1024, blockSize: BLOCK })
    await rig.run(async () => {
      await makeRecords(rig.medium)
      let store = await openRecords(rig.medium)
      for (let i = 0; i < 200; i++) await store.put(bytesOf(`key ${i}`), value(i))
      await store.checkpoint()
      await store.put(bytesOf('last'), value(7))
      await store.close()
      store = await openRecords(rig.medium)
      expect(store.recovery).toMatchObject({ clean: true, keys: 201, fromCheckpoint: 200 })
      expect(store.recovery.replayed).toBeLessThan(10)
      expect(await store.get(bytesOf('key 100'))).toEqual(value(100))
      await store.close()
    })
  })
})

describe('damage', () => {
  it('to a value is an error that names the key, and harms no other', async () => {
    const rig = createRig({ blocks: 256, blockSize: BLOCK })
    await rig.run(async () => {
      await makeRecords(rig.medium)
      const store = await openRecords(rig.medium, { cacheBytes: 0 })
      for (let i = 0; i < 20; i++) await store.put(bytesOf(`key ${i}`), value(i + 100))
      const { media } = rig.disk
      const at = Buffer.from(media.buffer, media.byteOffset, media.length).indexOf(Buffer.alloc(300, 107))
      media[at + 50] ^= 4
      await expect(store.get(bytesOf('key 7'))).rejects.toMatchObject({
        code: 'EUCLEAN',
        message: expect.stringContaining('key 7'),
      })
      expect(await store.get(bytesOf('key 6'))).toEqual(value(106))
      const report = await store.scrub()
      expect(
        report.keys.map(({ first, last, keys }) => [String(Buffer.from(first)), String(Buffer.from(last)), keys]),
      ).toEqual([['key 7', 'key 7', 1]])
      await store.close()
      await expect(openRecords(rig.medium)).rejects.toMatchObject({ code: 'EUCLEAN' })
      const again = await openRecords(rig.medium, { damaged: 'skip' })
      expect(again.recovery.lost).toHaveLength(1)
      expect(again.usage.keys).toBe(19)
      expect(await again.get(bytesOf('key 8'))).toEqual(value(108))
      await again.close()
    })
  })

  it('of the media is EIO with the name of the key', async () => {
    const rig = createRig({ blocks: 256, blockSize: BLOCK })
    let broken = false
    const medium = faultyMedium(rig.medium, (request) => (broken && request.opcode === BLOCK_READ ? -5 : undefined))
    await rig.run(async () => {
      await makeRecords(medium)
      const store = await openRecords(medium, { cacheBytes: 0 })
      await store.put(bytesOf('a'), value(1))
      broken = true
      await expect(store.get(bytesOf('a'))).rejects.toMatchObject({
        code: 'EIO',
        message: expect.stringContaining('"a"'),
      })
      broken = false
      expect(await store.get(bytesOf('a'))).toEqual(value(1))
      await store.close()
    })
  })
})

describe('opening', () => {
  it('refuses what is no store, and a store that is there already', async () => {
    const rig = createRig({ blocks: 256, blockSize: BLOCK })
    await rig.run(async () => {
      await expect(openRecords(rig.medium)).rejects.toMatchObject({ code: 'EINVAL' })
      await makeRecords(rig.medium)
      await expect(makeRecords(rig.medium)).rejects.toMatchObject({ code: 'EEXIST' })
      const store = await openRecords(rig.medium)
      await store.close()
      await store.close()
      expect(() => store.has(bytesOf('a'))).toThrow(/closed/)
      await expect(store.put(bytesOf('a'), value(1))).rejects.toMatchObject({ code: 'EBADF' })
    })
    expect(rig.pool.available).toBe(64)
  })
})
