import { expect, test } from 'vitest'
import { checkVolume, mountVolume } from '../../src/files/index.ts'
import { Driver, pattern } from './support/driver.ts'
import { blankVolume, faultyRig } from './support/faulty.ts'
import { digestOf, Model, perform } from './support/model.ts'
import { randomSteps } from './support/workloads.ts'

const OPTIONS = { clusterSize: 1024, journalSize: 64 << 10, snapshots: 2 }
const quiet = { commitInterval: Number.POSITIVE_INFINITY, cacheSize: 64 << 10, wallClock: () => 1 }
const SIZE = 512 << 10

test('data that their place does not take go to another', async () => {
  const media = await blankVolume(SIZE, OPTIONS)
  const start = await dataStart(media)
  const bad = { firstLba: (start + 4) * 2, blocks: 9, on: 'write' } as const
  const rig = await faultyRig(media, { media: [bad] })
  await rig.run(async () => {
    const volume = await mountVolume(rig.medium, quiet)
    const driver = new Driver(volume, rig.pool)
    await driver.put('/a', pattern(20_000, 1))
    await driver.sync()
    expect(volume.failure).toBeUndefined()
    expect(rig.device.faults().media).toBeGreaterThan(0)
    await volume.close()
    const again = await mountVolume(rig.medium, { ...quiet, readOnly: true })
    expect(await new Driver(again, rig.pool).get('/a')).toEqual(pattern(20_000, 1))
    await again.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
  expect(rig.pool.available).toBe(rig.pool.frameCount)
})

test('what cannot be read costs its own file alone, and scrub says which part', async () => {
  const media = await blankVolume(SIZE, OPTIONS)
  const first = await faultyRig(media, {})
  await first.run(async () => {
    const volume = await mountVolume(first.medium, quiet)
    const driver = new Driver(volume, first.pool)
    await driver.put('/whole', pattern(5000, 1))
    await driver.put('/unreadable', pattern(5000, 2))
    await driver.put('/rotten', pattern(5000, 3))
    await volume.createSnapshot('kept')
    await volume.close()
  })
  first.medium.close()
  const at = (seed: number) => Buffer.from(media).indexOf(pattern(1024, seed))
  media[at(3) + 2048 + 7] ^= 4
  const unreadable = { firstLba: at(2) / 512 + 2, blocks: 1, on: 'read' } as const
  const rig = await faultyRig(media, { media: [unreadable] })
  await rig.run(async () => {
    const volume = await mountVolume(rig.medium, quiet)
    const driver = new Driver(volume, rig.pool)
    expect(await driver.get('/whole')).toEqual(pattern(5000, 1))
    await expect(driver.get('/unreadable')).rejects.toMatchObject({ code: 'EIO' })
    await expect(driver.get('/rotten')).rejects.toMatchObject({ code: 'EUCLEAN' })
    const file = volume.open('/rotten')
    expect(await driver.read(file, 0, 2048)).toEqual(pattern(5000, 3).subarray(0, 2048))
    file.close()
    const { lost, metadata } = await volume.scrub()
    expect(lost.filter(({ path }) => path.startsWith('/')).sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: '/rotten', position: 2048, length: 1024, reason: 'EUCLEAN' },
      { path: '/unreadable', position: 1024, length: 1024, reason: 'EIO' },
    ])
    expect(lost.filter(({ path }) => path.startsWith('kept:/')).length).toBe(2)
    expect(metadata).toEqual([])
    expect(volume.readOnly).toBe(false)
    await volume.close()
  })
  expect(rig.pool.available).toBe(rig.pool.frameCount)
})

test('a block of metadata that rots is found by scrub, and written anew', async () => {
  const media = await blankVolume(SIZE, OPTIONS)
  const rig = await faultyRig(media, {})
  await rig.run(async () => {
    const volume = await mountVolume(rig.medium, quiet)
    const driver = new Driver(volume, rig.pool)
    volume.mkdir('/d')
    await driver.put('/d/a-name-that-is-looked-for', pattern(10, 1))
    expect((await volume.scrub()).metadata).toEqual([])
    const at = Buffer.from(media).lastIndexOf('a-name-that-is-looked-for')
    media[at] ^= 1
    expect((await volume.scrub()).metadata.length).toBe(1)
    await volume.close()
    expect((await checkVolume(rig.medium)).problems).toEqual([])
  })
})

test('after a failed write of metadata the volume is read-only, and is then as the last sync left it', async () => {
  const media = await blankVolume(SIZE, OPTIONS)
  // The journal begins at cluster 3: the first record finds its place, the second does not.
  const rig = await faultyRig(media, { media: [{ firstLba: 8 * 2, blocks: 2 * 50, on: 'write' }] })
  await rig.run(async () => {
    const volume = await mountVolume(rig.medium, quiet)
    const driver = new Driver(volume, rig.pool)
    await driver.put('/safe', pattern(3000, 1))
    await driver.sync()
    let steps = 0
    await expect(
      (async () => {
        for (; steps < 20; steps++) {
          await driver.put(`/more${steps}`, pattern(3000, 2))
          await driver.sync()
        }
      })(),
    ).rejects.toMatchObject({ code: 'EIO' })
    expect(volume.failure).toBe('EIO')
    expect(volume.readOnly).toBe(true)
    expect(() => volume.mkdir('/x')).toThrow(/EROFS/)
    await expect(driver.sync()).rejects.toMatchObject({ code: 'EIO' })
    expect(await driver.get('/safe')).toEqual(pattern(3000, 1))
    await expect(volume.close()).rejects.toMatchObject({ code: 'EIO' })
  })
  expect(rig.pool.available).toBe(rig.pool.frameCount)
  rig.medium.close()
  const well = await faultyRig(media, {})
  await well.run(async () => {
    expect((await checkVolume(well.medium)).problems).toEqual([])
    const volume = await mountVolume(well.medium, quiet)
    expect(await new Driver(volume, well.pool).get('/safe')).toEqual(pattern(3000, 1))
    await volume.close()
  })
})

test('a device that is gone, or does not answer, ends every operation with its error', async () => {
  for (const [faults, code] of [
    [{ goneAt: 40 }, 'ENODEV'],
    [{ hang: 0.1, timeout: 5_000_000, seed: 3 }, 'ETIMEDOUT'],
  ] as const) {
    const media = await blankVolume(SIZE, OPTIONS)
    const rig = await faultyRig(media, faults)
    await rig.run(async () => {
      try {
        const volume = await mountVolume(rig.medium, quiet)
        const driver = new Driver(volume, rig.pool)
        const work = async () => {
          for (let i = 0; ; i++) {
            await driver.put(`/f${i % 7}`, pattern(9000, i))
            await driver.sync()
          }
        }
        await expect(work()).rejects.toMatchObject({ code })
        await expect(volume.close()).rejects.toMatchObject({ code })
      } catch (error) {
        expect(error).toMatchObject({ code })
      }
    })
    expect(rig.pool.available, code).toBe(rig.pool.frameCount)
    rig.medium.close()
  }
})

test('with commands that fail at random, what was acknowledged is there', { timeout: 300_000 }, async () => {
  let failures = 0
  for (let seed = 1; seed <= 120; seed++) {
    const media = await blankVolume(SIZE, OPTIONS)
    const model = new Model()
    const states = [model.digest()]
    let least = 0
    const rig = await faultyRig(media, { fail: 0.02, short: 0.02, seed })
    await rig.run(async () => {
      let volume: Awaited<ReturnType<typeof mountVolume>> | undefined
      try {
        volume = await mountVolume(rig.medium, quiet)
        const driver = new Driver(volume, rig.pool)
        for (const step of randomSteps(seed, 40)) {
          if (step.kind === 'snapshot' || step.kind === 'unsnapshot') continue
          const done = await perform(driver, step)
          if (done) model.apply(step)
          states.push(model.digest())
          if (done && (step.kind === 'sync' || step.kind === 'fsync')) least = states.length - 1
        }
      } catch (error) {
        failures++
        expect((error as { code: string }).code, `seed ${seed}`).toMatch(/EIO|EROFS|EUCLEAN/)
      }
      await volume?.close().catch(() => {})
    })
    expect(rig.pool.available, `frames, seed ${seed}`).toBe(rig.pool.frameCount)
    rig.medium.close()
    const well = await faultyRig(media, {})
    await well.run(async () => {
      expect((await checkVolume(well.medium)).problems, `seed ${seed}`).toEqual([])
      const volume = await mountVolume(well.medium, quiet)
      const digest = await digestOf(new Driver(volume, well.pool))
      expect(states.slice(least), `seed ${seed}`).toContain(digest)
      await volume.close()
    })
    well.medium.close()
  }
  expect(failures).toBeGreaterThan(20)
})

/** First cluster that files may have. */
async function dataStart(media: Uint8Array<ArrayBuffer>): Promise<number> {
  const { run, medium } = await faultyRig(media, {})
  const { clusters, free } = await run(async () => {
    const volume = await mountVolume(medium, { ...quiet, readOnly: true })
    const { totalBytes } = volume.status()
    await volume.close()
    return { clusters: volume.geometry.clusters, free: totalBytes / 1024 }
  })
  medium.close()
  return clusters - 1 - free
}
