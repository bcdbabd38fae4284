import { type BlockDevice, type FramePool, MonotonicClock } from '@parakernel/hal'
import { blockBackend as ioUring } from '@parakernel/io-uring'
import { blockBackend as nvme } from '@parakernel/nvme'
import { checkVolume, FileOperation, makeLog, makeVolume, mountVolume, openLog, type Volume } from '@parakernel/storage'
import { afterAll, describe, expect, test } from 'vitest'
import { blockDeviceOf, returnVfioController, VFIO_SERIAL, vfioController } from '../../support/controllers.ts'
import { pattern } from '../../support/pattern.ts'
import { withMedium } from '../../support/storage-media.ts'

const context = { clock: new MonotonicClock() }
/** Blocks of 512 bytes, and of 4 KiB. */
const LOG = 1
const VOLUME = 2

const overVfio = (namespace: number) => nvme.open({ device: vfioController(), namespace }, context)
const blockDevice = (namespace: number) => blockDeviceOf(VFIO_SERIAL, namespace)
const overPassthrough = (namespace: number) =>
  nvme.open({ transport: 'passthrough', device: blockDevice(namespace).replace('/dev/nvme', '/dev/ng') }, context)
const overRings = (namespace: number, blockSize: number) =>
  ioUring.open({ path: blockDevice(namespace), blockSize }, context)

const record = (i: number) => pattern(4 * (1 + ((i * 37) % 400)), i)

/** Appends records and answers all that are there. */
async function useLog(device: BlockDevice, from: number, count: number): Promise<Uint8Array[]> {
  return withMedium(device, LOG, async (medium) => {
    const log = await openLog(medium)
    await Promise.all(Array.from({ length: count }, (_, i) => log.write(record(from + i))))
    const found: Uint8Array[] = []
    for await (const { bytes } of log.scan()) found.push(bytes)
    await log.close()
    return found
  })
}

/** One read or write of a whole file, through frames. */
async function transfer(
  volume: Volume,
  pool: FramePool,
  path: string,
  data: Uint8Array,
  write: boolean,
): Promise<void> {
  const file = volume.open(path, write ? { create: true, write: true } : {})
  const bytes = new Uint8Array(pool.window.region.buffer)
  for (let at = 0; at < data.length; at += pool.frameSize) {
    const length = Math.min(pool.frameSize, data.length - at)
    const frame = pool.allocate()
    const start = pool.address(frame)
    if (write) bytes.set(data.subarray(at, at + length), start)
    const { status, transferred } = await new Promise<FileOperation>((resolve) => {
      const operation = new FileOperation(resolve).begin(at)
      operation.add(frame, 0, length)
      if (write) file.write(operation)
      else file.read(operation)
    })
    expect([status, transferred]).toEqual([0, length])
    if (!write) data.set(bytes.subarray(start, start + length), at)
    pool.release(frame)
  }
  file.close()
}

async function readFile(volume: Volume, pool: FramePool, path: string): Promise<Uint8Array> {
  const data = new Uint8Array(volume.stat(path).size)
  await transfer(volume, pool, path, data, false)
  return data
}

// What one transport wrote the others read: nothing of a transport is in what lies on the medium.
describe('storage on NVMe, over each transport in turn', () => {
  const first = pattern(200_000, 1)
  const second = pattern(50_000, 2)

  afterAll(() => vfioController())

  test('a log and a volume are made over VFIO', async () => {
    await withMedium(await overVfio(LOG), LOG, (medium) => makeLog(medium))
    expect(await useLog(await overVfio(LOG), 0, 40)).toHaveLength(40)
    await withMedium(await overVfio(VOLUME), VOLUME, async (medium, pool) => {
      await makeVolume(medium)
      const volume = await mountVolume(medium)
      volume.mkdir('/a')
      await transfer(volume, pool, '/a/first', first, true)
      await volume.close()
    })
  })

  test('the kernel has them, and passthrough goes on with the log', async () => {
    await returnVfioController()
    const found = await useLog(await overPassthrough(LOG), 40, 10)
    expect(found).toHaveLength(50)
    for (const [i, bytes] of found.entries()) expect(bytes).toEqual(record(i))
  })

  test('io_uring goes on with the volume, which is whole', async () => {
    // A block device has one namespace, whatever the controller calls it.
    await withMedium(await overRings(VOLUME, 4096), 1, async (medium, pool) => {
      const volume = await mountVolume(medium)
      expect(await readFile(volume, pool, '/a/first')).toEqual(first)
      await transfer(volume, pool, '/a/second', second, true)
      await volume.close()
      expect(await checkVolume(medium)).toMatchObject({ clean: true })
    })
  })

  test('and back over VFIO everything is there', async () => {
    await withMedium(await overVfio(VOLUME), VOLUME, async (medium, pool) => {
      const volume = await mountVolume(medium)
      expect(volume.readdir('/a')).toEqual(['first', 'second'])
      expect(await readFile(volume, pool, '/a/second')).toEqual(second)
      await volume.close()
    })
    const found = await useLog(await overVfio(LOG), 50, 1)
    expect(found).toHaveLength(51)
  })
})
