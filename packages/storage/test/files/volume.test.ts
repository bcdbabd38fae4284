import { expect, test } from 'vitest'
import { checkVolume, makeVolume, mountVolume } from '../../src/files/index.ts'
import { createRig } from '../support/rig.ts'
import { Driver, pattern } from './support/driver.ts'

const BIG = { blocks: 8192, blockSize: 512, frames: 512, frameSize: 4096 }
const quiet = { commitInterval: Number.POSITIVE_INFINITY }

test('what is written is read, also after a mount', async () => {
  const rig = createRig(BIG)
  await rig.run(async () => {
    await makeVolume(rig.medium, { clusterSize: 1024 })
    const volume = await mountVolume(rig.medium, quiet)
    const driver = new Driver(volume, rig.pool)
    volume.mkdir('/a')
    await driver.put('/a/b', pattern(100_000, 1))
    await driver.put('/c', pattern(10, 2))
    expect(await driver.get('/a/b')).toEqual(pattern(100_000, 1))
    await volume.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
    const again = await mountVolume(rig.medium, quiet)
    const other = new Driver(again, rig.pool)
    expect(again.readdir('/')).toEqual(['a', 'c'])
    expect(await other.get('/a/b')).toEqual(pattern(100_000, 1))
    expect(await other.get('/c')).toEqual(pattern(10, 2))
    await again.close()
  })
  expect(rig.pool.available).toBe(rig.pool.frameCount)
})

test('snapshots keep what was, and a rollback brings it back', async () => {
  const rig = createRig(BIG)
  await rig.run(async () => {
    await makeVolume(rig.medium, { clusterSize: 1024 })
    const volume = await mountVolume(rig.medium, quiet)
    const driver = new Driver(volume, rig.pool)
    volume.mkdir('/d')
    for (let i = 0; i < 40; i++) await driver.put(`/d/${i}`, pattern(3000, i))
    await volume.createSnapshot('one')
    for (let i = 0; i < 40; i += 2) volume.unlink(`/d/${i}`)
    for (let i = 1; i < 40; i += 2) await driver.put(`/d/${i}`, pattern(2000, i + 100))
    await driver.sync()
    expect((await volume.scrub()).lost).toEqual([])
    const old = await volume.mountSnapshot('one')
    const past = new Driver(old, rig.pool)
    expect(old.readdir('/d').length).toBe(40)
    for (let i = 0; i < 40; i++) expect(await past.get(`/d/${i}`)).toEqual(pattern(3000, i))
    expect(() => old.mkdir('/x')).toThrow(/EROFS/)
    await expect(volume.deleteSnapshot('one')).rejects.toThrow(/EBUSY/)
    await old.close()
    for (let i = 1; i < 40; i += 2) expect(await driver.get(`/d/${i}`)).toEqual(pattern(2000, i + 100))
    await volume.createSnapshot('two')
    await volume.rollback('one')
    for (let i = 0; i < 40; i++) expect(await driver.get(`/d/${i}`)).toEqual(pattern(3000, i))
    expect(volume.snapshots().map(({ name }) => name)).toEqual(['one', 'two'])
    await volume.rollback('two')
    expect(volume.readdir('/d').length).toBe(20)
    await volume.deleteSnapshot('one')
    await volume.deleteSnapshot('two')
    await volume.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
  expect(rig.pool.available).toBe(rig.pool.frameCount)
})
