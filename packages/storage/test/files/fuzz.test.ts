import { ParakernelError } from '@parakernel/hal'
import { expect, test } from 'vitest'
import { checkVolume, mountVolume } from '../../src/files/index.ts'
import { seal } from '../../src/files/meta/block.ts'
import { settle } from '../support/rig.ts'
import { prepare } from './support/crash.ts'
import { Driver } from './support/driver.ts'
import { blockGround, SHAPE } from './support/ground.ts'
import { randomSteps, SETUP, seeded } from './support/workloads.ts'

const LONG = process.env['PARAKERNEL_LONG'] === '1'
const IMAGES = LONG ? 30_000 : 1500
const CLUSTER = 1024
const MAGIC = 0x6d66_6b70
/** Failures that a damaged image may end in, and no others. */
const ALLOWED = new Set(['EUCLEAN', 'EINVAL', 'EIO', 'ENOENT', 'ENOTDIR', 'EISDIR', 'ENOSPC', 'EROFS'])

function open(image: Uint8Array) {
  return blockGround({ ...SHAPE, blocks: image.length / SHAPE.blockSize }).open(image)
}

/** Changes a few bytes; half of the time with checksums that are right again, so that the numbers themselves are what is tried. */
function corrupt(image: Uint8Array, random: (limit: number) => number): void {
  const blocks: number[] = []
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength)
  for (let at = CLUSTER; at < image.length; at += CLUSTER) if (view.getUint32(at, true) === MAGIC) blocks.push(at)
  const sealed = random(3) > 0
  for (let n = 1 + random(3); n > 0; n--) {
    const at = random(8) === 0 ? random(image.length / CLUSTER) * CLUSTER : blocks[random(blocks.length)]
    // Most of what matters is near the beginning of a block, or of a record in it.
    const into = [random(64), random(CLUSTER), 256 * random(4) + random(64)][random(3)]
    if (random(2) === 0) image[at + into] ^= 1 << random(8)
    else {
      const value = [0, 0xffff_ffff, 0x7fff_ffff, random(256), random(0x1_0000_0000)][random(5)]
      view.setUint32(Math.min(at + into, image.length - 4), value, true)
    }
    if (sealed && view.getUint32(at, true) === MAGIC) {
      const block = image.subarray(at, at + CLUSTER)
      seal(block, new DataView(block.buffer, block.byteOffset, block.byteLength))
    }
  }
}

/** Reads everything there is. */
async function explore(driver: Driver): Promise<void> {
  const stack = ['']
  for (let path = stack.pop(); path !== undefined; path = stack.pop()) {
    for (const name of driver.volume.readdir(path === '' ? '/' : path)) {
      const own = `${path}/${name}`
      const { kind, size } = driver.volume.stat(own)
      if (kind === 'directory') stack.push(own)
      else {
        const file = driver.volume.open(own)
        await driver.read(file, 0, Math.min(size, 64 * 1024)).finally(() => file.close())
      }
    }
  }
}

test('a damaged image is refused or read, never followed', { timeout: LONG ? 3_600_000 : 300_000 }, async () => {
  const bases: Uint8Array[] = []
  for (let seed = 1; seed <= 4; seed++) bases.push((await prepare([...SETUP, ...randomSteps(seed, 50)])).image)
  let refused = 0
  let repaired = 0
  for (let n = 0; n < IMAGES; n++) {
    const random = seeded(n + 1)
    const image = bases[n % bases.length].slice()
    corrupt(image, random)
    const before = image.slice()
    const { loop, medium, pool } = open(image)
    await settle(loop, async () => {
      try {
        const volume = await mountVolume(medium, { readOnly: true, commitInterval: Number.POSITIVE_INFINITY })
        const driver = new Driver(volume, pool)
        await explore(driver).catch((error) => {
          if (!ALLOWED.has((error as ParakernelError).code)) throw error
        })
        await volume.close()
      } catch (error) {
        if (!ALLOWED.has((error as ParakernelError).code)) throw new Error(`image ${n}`, { cause: error })
        refused++
      }
      expect(pool.available, `frames, image ${n}`).toBe(pool.frameCount)
      expect(Buffer.compare(image, before), `image ${n} was written to`).toBe(0)
      try {
        const report = await checkVolume(medium, { repair: true })
        if (report.clean || !report.repaired) return
        repaired++
        const after = await checkVolume(medium)
        if (!after.clean) throw new Error(`image ${n} is not clean after the repair: ${JSON.stringify(after.problems)}`)
        const volume = await mountVolume(medium, { commitInterval: Number.POSITIVE_INFINITY })
        const driver = new Driver(volume, pool)
        await explore(driver).catch((error) => {
          if (!ALLOWED.has((error as ParakernelError).code)) throw error
        })
        volume.mkdir('/after-repair')
        await driver.sync()
        await volume.close()
        const last = await checkVolume(medium)
        if (!last.clean) throw new Error(`image ${n} is not clean in the end: ${JSON.stringify(last.problems)}`)
      } catch (error) {
        if (!(error instanceof ParakernelError) || !ALLOWED.has(error.code)) {
          throw new Error(`repair of image ${n}`, { cause: error })
        }
      }
    })
    medium.close()
  }
  console.log(`${IMAGES} damaged images: ${refused} refused, ${repaired} repaired`)
  expect(refused).toBeGreaterThan(IMAGES / 10)
  expect(repaired).toBeGreaterThan(IMAGES / 20)
})

test('images of other kinds, versions and lengths are refused with a remedy', async () => {
  const { image } = await prepare(SETUP)
  const attempt = async (bytes: Uint8Array): Promise<ParakernelError> => {
    const { loop, medium } = open(bytes)
    const error = await settle(
      loop,
      mountVolume(medium)
        .then(() => undefined)
        .catch((reason) => reason as ParakernelError),
    )
    medium.close()
    expect(error).toBeInstanceOf(ParakernelError)
    return error as ParakernelError
  }
  const blank = await attempt(new Uint8Array(image.length))
  expect([blank.code, blank.remedy !== undefined]).toEqual(['EINVAL', true])
  const cut = await attempt(image.slice(0, image.length / 2))
  expect(cut.message).toMatch(/EINVAL.*cut/)
})
