import { expect, test } from 'vitest'
import { checkVolume, makeVolume, mountVolume, type VolumeFile } from '../../src/files/index.ts'
import { createRig } from '../support/rig.ts'
import { Driver, pattern } from './support/driver.ts'
import { seeded } from './support/workloads.ts'

const LONG = process.env['PARAKERNEL_LONG'] === '1'
const OPERATIONS = LONG ? 1_000_000 : 100_000
const LENGTH = 96 * 1024
const FILES = 3

test('random operations on files agree with plain arrays', { timeout: LONG ? 3_600_000 : 300_000 }, async () => {
  const rig = createRig({ blocks: 4096, blockSize: 512, frames: 512, frameSize: 4096, seed: 7 })
  const random = seeded(20)
  await rig.run(async () => {
    await makeVolume(rig.medium, { clusterSize: 2048, snapshots: 2 })
    const options = { commitInterval: 1e9, cacheSize: 96 * 1024 }
    let volume = await mountVolume(rig.medium, options)
    let driver = new Driver(volume, rig.pool)
    const models = Array.from({ length: FILES }, () => new Uint8Array(LENGTH))
    const lengths = new Array<number>(FILES).fill(0)
    const open = () => models.map((_, i) => volume.open(`/f${i}`, { write: true, create: true }))
    let files: VolumeFile[] = open()
    for (let n = 0; n < OPERATIONS; n++) {
      const i = random(FILES)
      const [file, model] = [files[i], models[i]]
      const at = random(LENGTH)
      const size = random(8) === 0 ? random(24_000) : random(3000)
      const length = Math.min(size, LENGTH - at)
      const dice = random(1000)
      if (dice < 350) {
        const expected = model.slice(at, Math.max(at, Math.min(lengths[i], at + length)))
        const found = await driver.read(file, at, length)
        if (Buffer.compare(found, expected) !== 0)
          expect.fail(`operation ${n}: read of ${length} at ${at} of file ${i}`)
      } else if (dice < 800) {
        const bytes = pattern(length, n)
        await driver.write(file, at, bytes)
        model.set(bytes, at)
        if (length > 0) lengths[i] = Math.max(lengths[i], at + length)
      } else if (dice < 870) {
        await driver.truncate(file, at)
        model.fill(0, at)
        lengths[i] = at
      } else if (dice < 960) {
        await driver.punch(file, at, length)
        model.fill(0, at, Math.min(lengths[i], at + length))
      } else if (dice < 985) await driver.fsync(file)
      else if (dice < 995) {
        volume.rename(`/f${i}`, '/renamed')
        volume.rename('/renamed', `/f${i}`)
      } else if (dice < 997) {
        file.close()
        volume.unlink(`/f${i}`)
        files[i] = volume.open(`/f${i}`, { write: true, create: true })
        model.fill(0)
        lengths[i] = 0
      } else if (dice < 998) {
        const name = `s${random(3)}`
        const kept = volume.snapshots().map((snapshot) => snapshot.name)
        if (kept.includes(name)) await volume.deleteSnapshot(name)
        else if (kept.length < 1) await volume.createSnapshot(name)
      } else if (dice === 998) {
        await volume.close()
        volume = await mountVolume(rig.medium, options)
        driver = new Driver(volume, rig.pool)
        files = open()
      }
      if (files[i].size !== lengths[i])
        expect.fail(`operation ${n}: file ${i} is ${files[i].size}, not ${lengths[i]} long`)
    }
    expect((await volume.scrub()).lost).toEqual([])
    await volume.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
  expect(rig.pool.available).toBe(rig.pool.frameCount)
})
