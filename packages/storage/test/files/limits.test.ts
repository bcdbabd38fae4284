import { expect, test } from 'vitest'
import { checkVolume, makeVolume, mountVolume } from '../../src/files/index.ts'
import { createRig } from '../support/rig.ts'
import { Driver, pattern } from './support/driver.ts'
import { seeded } from './support/workloads.ts'

const quiet = { commitInterval: Number.POSITIVE_INFINITY }

test('a full volume refuses, loses nothing, and goes on when there is room', async () => {
  const rig = createRig({ blocks: 1024, blockSize: 512, frames: 512, frameSize: 4096 })
  await rig.run(async () => {
    await makeVolume(rig.medium, { clusterSize: 1024, snapshots: 2 })
    const volume = await mountVolume(rig.medium, { ...quiet, cacheSize: 64 << 10 })
    const driver = new Driver(volume, rig.pool)
    let files = 0
    await expect(
      (async () => {
        for (; ; files++) await driver.put(`/f${files}`, pattern(7000, files))
      })(),
    ).rejects.toMatchObject({ code: 'ENOSPC' })
    await driver.sync()
    for (let i = 0; i < files; i++) expect(await driver.get(`/f${i}`)).toEqual(pattern(7000, i))
    for (let i = 0; i < files; i += 2) volume.unlink(`/f${i}`)
    await driver.put('/again', pattern(20_000, 5))
    await driver.sync()
    expect(await driver.get('/again')).toEqual(pattern(20_000, 5))
    await volume.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
})

test('a snapshot on a full volume does not keep files from being deleted', async () => {
  const rig = createRig({ blocks: 1024, blockSize: 512, frames: 512, frameSize: 4096 })
  await rig.run(async () => {
    await makeVolume(rig.medium, { clusterSize: 1024, snapshots: 2 })
    const volume = await mountVolume(rig.medium, { ...quiet, cacheSize: 64 << 10 })
    const driver = new Driver(volume, rig.pool)
    let files = 0
    await driver.put('/half', pattern(150_000, 1))
    await volume.createSnapshot('s')
    await expect(
      (async () => {
        for (; ; files++) await driver.put(`/f${files}`, pattern(2000, files))
      })(),
    ).rejects.toMatchObject({ code: 'ENOSPC' })
    await driver.sync()
    for (const name of [...volume.readdir('/')]) volume.unlink(`/${name}`)
    await driver.sync()
    expect(volume.readdir('/')).toEqual([])
    await volume.deleteSnapshot('s')
    await driver.put('/f', pattern(150_000, 2))
    await volume.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
})

test('thousands of names in one directory', async () => {
  const rig = createRig({ blocks: 16_384, blockSize: 512, frames: 512, frameSize: 4096 })
  const COUNT = 5000
  await rig.run(async () => {
    await makeVolume(rig.medium, { clusterSize: 1024, journalSize: 512 << 10 })
    let volume = await mountVolume(rig.medium, quiet)
    let driver = new Driver(volume, rig.pool)
    volume.mkdir('/d')
    for (let i = 0; i < COUNT; i++) {
      volume.open(`/d/file number ${i}`, { create: true }).close()
      if (i % 500 === 0) await driver.sync()
    }
    await volume.close()
    volume = await mountVolume(rig.medium, quiet)
    driver = new Driver(volume, rig.pool)
    expect(volume.readdir('/d').length).toBe(COUNT)
    expect(volume.stat('/d').size).toBe(COUNT)
    for (let i = 0; i < COUNT; i++) {
      volume.unlink(`/d/file number ${(i * 7) % COUNT}`)
      if (i % 500 === 0) await driver.sync()
    }
    volume.rmdir('/d')
    await volume.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
})

test('a file in thousands of pieces, through leaves and index blocks', async () => {
  const rig = createRig({ blocks: 20_000, blockSize: 512, frames: 512, frameSize: 4096 })
  const PIECES = 3000
  await rig.run(async () => {
    await makeVolume(rig.medium, { clusterSize: 1024, journalSize: 512 << 10, snapshots: 2 })
    let volume = await mountVolume(rig.medium, quiet)
    let driver = new Driver(volume, rig.pool)
    const file = volume.open('/holes', { write: true, create: true })
    const random = seeded(3)
    const order = Array.from({ length: PIECES }, (_, i) => i)
    for (let i = PIECES - 1; i > 0; i--) {
      const j = random(i + 1)
      ;[order[i], order[j]] = [order[j], order[i]]
    }
    for (const [n, i] of order.entries()) {
      await driver.write(file, i * 2048, pattern(1024, i))
      if (n === PIECES >> 1) await volume.createSnapshot('half')
    }
    file.close()
    await volume.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
    volume = await mountVolume(rig.medium, quiet)
    driver = new Driver(volume, rig.pool)
    expect(volume.stat('/holes').allocated).toBe(PIECES * 1024)
    const again = volume.open('/holes', { write: true })
    for (let i = 0; i < PIECES; i++) {
      expect(Buffer.compare(await driver.read(again, i * 2048, 1024), pattern(1024, i))).toBe(0)
      if (i > 0) expect((await driver.read(again, i * 2048 - 1024, 1024)).every((byte) => byte === 0)).toBe(true)
    }
    await driver.punch(again, 1000, PIECES * 1024)
    await driver.truncate(again, 4096)
    again.close()
    await volume.rollback('half')
    expect(volume.stat('/holes').allocated).toBe(((PIECES >> 1) + 1) * 1024)
    volume.unlink('/holes')
    await volume.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
})

test('more changes than the journal takes at once are refused, and find room after a sync', async () => {
  const rig = createRig({ blocks: 4096, blockSize: 512, frames: 256, frameSize: 4096 })
  await rig.run(async () => {
    await makeVolume(rig.medium, { clusterSize: 1024, journalSize: 64 << 10 })
    const volume = await mountVolume(rig.medium, quiet)
    const driver = new Driver(volume, rig.pool)
    let made = 0
    expect(() => {
      for (; made < 10_000; made++) volume.open(`/${made}`, { create: true }).close()
    }).toThrow(/ENOBUFS/)
    await driver.sync()
    volume.mkdir('/now')
    await volume.close()
    const again = await mountVolume(rig.medium, quiet)
    expect(again.readdir('/').length).toBe(made + 1)
    await again.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
})

test('an unlinked file lives as long as it is open, and its room comes back after a crash', async () => {
  const rig = createRig({ blocks: 2048, blockSize: 512, frames: 256, frameSize: 4096 })
  await rig.run(async () => {
    await makeVolume(rig.medium, { clusterSize: 1024 })
    const volume = await mountVolume(rig.medium, quiet)
    const driver = new Driver(volume, rig.pool)
    // Blocks of inodes and names stay once they are there.
    await driver.put('/a', pattern(1, 1))
    volume.unlink('/a')
    await driver.sync()
    const free = volume.status().freeBytes
    await driver.put('/a', pattern(50_000, 1))
    const file = volume.open('/a', { write: true })
    volume.unlink('/a')
    await driver.sync()
    expect(file.status().links).toBe(0)
    expect(await driver.read(file, 0, 60_000)).toEqual(pattern(50_000, 1))
    // As after a crash: what is on the media is mounted a second time.
    const after = await mountVolume(rig.medium, quiet)
    await new Driver(after, rig.pool).sync()
    expect(after.status().freeBytes).toBe(free)
    await after.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
})
