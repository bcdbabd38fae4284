import { mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BLOCK_COMPARE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_WRITE,
  createPlainWindow,
  FramePool,
  MonotonicClock,
} from '@parakernel/hal'
import { afterAll, describe, expect, test } from 'vitest'
import { ImageFile } from '../../src/disk/image-file.ts'
import { blockBackend, type DiskOptions, discardDisk, EmulatedDisk } from '../../src/index.ts'
import { DiskLab } from './support.ts'

const directory = mkdtempSync(join(tmpdir(), 'disk-'))
afterAll(() => rmSync(directory, { recursive: true }))
const clock = new MonotonicClock()
const SMALL = { blocks: 64, blockSize: 512 }

const open = async (options: DiskOptions) =>
  (await blockBackend.open({ ...SMALL, ...options }, { clock })) as EmulatedDisk
/** A lab over a disk that the backend opened. */
async function lab(options: DiskOptions): Promise<DiskLab> {
  const disk = await open(options)
  return new DiskLab({}, disk)
}

describe('an image file', () => {
  test.each([
    ['with a volatile cache', true],
    ['without', false],
  ])('%s holds what is stable', async (_, volatileCache) => {
    const path = join(directory, `image-${volatileCache}`)
    const one = await lab({ path, volatileCache })
    expect(statSync(path).size).toBe(64 * 512)
    const byte = (block: number) => readFileSync(path)[block * 512]
    one.run(BLOCK_WRITE, 1, 2, 7)
    expect(byte(1)).toBe(volatileCache ? 0 : 7)
    one.run(BLOCK_WRITE, 5, 1, 8, BLOCK_FUA)
    expect(byte(5)).toBe(8)
    one.run(BLOCK_FLUSH, 0, 0)
    expect([byte(1), byte(2), byte(3)]).toEqual([7, 7, 0])
    one.run(BLOCK_WRITE, 9, 1, 9)
    await one.disk.close()
    expect(byte(9)).toBe(9)
    const two = await lab({ path })
    expect(two.run(BLOCK_COMPARE, 1, 2, 7)).toBe(0)
    await two.disk.close()
  })

  test('a power cut leaves in the file what the disk shows', async () => {
    const path = join(directory, 'cut')
    const one = await lab({ path })
    for (let i = 0; i < 60; i++) one.run(BLOCK_WRITE, i, 1, 1 + i, i % 9 === 0 ? BLOCK_FUA : 0)
    for (let i = 0; i < 60; i += 2) one.run(BLOCK_WRITE, i, 1, 101 + i)
    one.disk.powerCut(Math.random)
    expect(readFileSync(path).equals(Buffer.from(one.disk.media))).toBe(true)
    await one.disk.close()
  })

  test('of another size, or in no place at all, is refused', async () => {
    const path = join(directory, 'size')
    await (await open({ path })).close()
    await expect(open({ path, blocks: 32 })).rejects.toMatchObject({ code: 'EINVAL' })
    await expect(open({ path: join(directory, 'nowhere', 'image') })).rejects.toMatchObject({ code: 'EIO' })
  })
})

describe('a name', () => {
  test('keeps the content in the process', async () => {
    const one = await lab({ name: 'kept' })
    one.run(BLOCK_WRITE, 3, 1, 4)
    await expect(open({ name: 'kept' })).rejects.toMatchObject({ code: 'EBUSY' })
    expect(discardDisk('kept')).toBe(false)
    await one.disk.close()
    await expect(open({ name: 'kept', blocks: 32 })).rejects.toMatchObject({ code: 'EINVAL' })
    const two = await open({ name: 'kept' })
    expect(two.media[3 * 512]).toBe(4)
    await two.close()
    expect(discardDisk('kept')).toBe(true)
    const three = await open({ name: 'kept' })
    expect(three.media[3 * 512]).toBe(0)
    await three.close()
  })

  test('is optional', async () => {
    const [one, two] = [await open({}), await open({})]
    one.media[0] = 1
    expect(two.media[0]).toBe(0)
  })
})

test.each([
  [{ blockSize: 1000 }],
  [{ blockSize: 256 }],
  [{ blocks: 0 }],
  [{ queues: 1.5 }],
  [{ memoryAlignment: 300 }],
  [{ namespaces: [] }],
  [{ namespaces: [4, -1] }],
  [{ opcodes: ['erase'] }],
  [{ volatileCache: 'yes' }],
  [{ media: new Uint8Array(1000) }],
])('%j is refused', (options) => {
  expect(() => new EmulatedDisk(options as DiskOptions)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
})

test('plain media keep the disk in its thread, shared media do not', () => {
  expect(new EmulatedDisk({ media: new Uint8Array(4096) }).capabilities.attach).toBe('thread')
  expect(new EmulatedDisk({ clock, media: new Uint8Array(new SharedArrayBuffer(4096)) }).capabilities.attach).toBe(
    'worker',
  )
  expect(new EmulatedDisk({ clock }).capabilities.attach).toBe('worker')
})

test('100,000 disks are made in seconds', () => {
  const media = new Uint8Array(262_144)
  const window = createPlainWindow(8, { frameSize: 4096, headroom: 0 })
  const pool = new FramePool(window)
  let best = Number.POSITIVE_INFINITY
  for (let batch = 0; batch < 20; batch++) {
    const start = performance.now()
    for (let i = 0; i < 100; i++) {
      const disk = new EmulatedDisk({ media, blockSize: 512 })
      disk.attach(disk.grant(0, { namespace: 1, firstLba: 0, blocks: 512 }, window), { pool, clock }).detach()
      void disk.close()
    }
    best = Math.min(best, (performance.now() - start) / 100)
  }
  // Milliseconds each; about 0.03 where nobody else works.
  expect(best).toBeLessThan(0.2)
})

test('a file that cannot be written fails flushes, forced writes and close, and from then on everything', async () => {
  const path = join(directory, 'read-only')
  await (await open({ path })).close()
  const media = new Uint8Array(64 * 512)
  const image = new ImageFile(openSync(path, 'r'), media, 512)
  const one = new DiskLab({ media, image })
  expect(one.run(BLOCK_WRITE, 0, 1, 1)).toBe(0)
  expect(one.run(BLOCK_FLUSH, 0, 0)).toBe(-5)
  expect(one.run(BLOCK_WRITE, 1, 1, 1, BLOCK_FUA)).toBe(-5)
  expect(one.run(BLOCK_FLUSH, 0, 0)).toBe(-5)
  await expect(one.disk.close()).rejects.toMatchObject({ code: 'EIO' })
  expect(image.close()).toBe(false)
})

test.each([
  ['/dev/full', 'ENOTSUP'],
  ['/dev/null', 'ENOTSUP'],
  [directory, 'EISDIR'],
])('%s is no image file', async (path, code) => {
  await expect(open({ path })).rejects.toMatchObject({ code, subject: path })
})

test('a size in bytes stands for blocks, and an image that is there says its own', async () => {
  const path = join(directory, 'sized')
  const opened = async (options: DiskOptions) =>
    (await blockBackend.open({ path, ...options }, { clock })) as EmulatedDisk
  const one = await opened({ size: 64 * 4096 })
  expect(one.namespaces.get(1)).toBe(64)
  await one.close()
  expect(statSync(path)).toMatchObject({ size: 64 * 4096, mode: 0o100600 })
  const two = await opened({})
  expect(two.namespaces.get(1)).toBe(64)
  await two.close()
  for (const options of [{ size: 65 * 4096 }, { size: 5000 }, { size: 64 * 4096, blocks: 64 }]) {
    await expect(opened(options)).rejects.toMatchObject({ code: 'EINVAL' })
  }
})
