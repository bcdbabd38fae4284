import { ParakernelError } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { makeLog, openLog } from '../src/index.ts'
import { blockMount, persistentMount } from './support/crash.ts'
import { Random } from './support/random.ts'
import { settle } from './support/rig.ts'

const LONG = process.env.PARAKERNEL_LONG === '1'
const IMAGES = LONG ? 20_000 : 600
const BYTES = 65_536

const mounts = {
  blocks: () => blockMount({ blocks: BYTES / 512, blockSize: 512, volatileCache: false, atomicUnit: 1 }),
  'persistent memory': () => persistentMount(BYTES),
}

describe.for(Object.entries(mounts))('images with random damage: %s', ([, create]) => {
  it('are opened or refused, and every record that is read is one that was written', { timeout: 300_000 }, async () => {
    const mount = create()
    const { loop } = mount
    const written = new Set<string>()
    const good = new Uint8Array(BYTES)
    const first = mount.open(good)
    await settle(loop, async () => {
      await makeLog(first)
      const log = await openLog(first)
      const random = new Random(5)
      for (let i = 0; i < 120; i++) {
        const bytes = random.bytes(random.below(600))
        written.add(Buffer.from(bytes).toString('hex'))
        if (log.append(bytes) < 0) await log.truncate(log.next - 20)
      }
      await log.sync()
    })
    const image = first.persistent === undefined ? good : copyOf(first)
    let opened = 0
    let refused = 0
    for (let seed = 1; seed <= IMAGES; seed++) {
      const random = new Random(seed)
      const damaged = image.slice()
      for (let n = 1 + random.below(8); n > 0; n--) damage(damaged, random)
      const medium = mount.open(damaged)
      try {
        await settle(loop, async () => {
          const log = await openLog(medium, { damaged: seed % 2 === 0 ? 'skip' : 'refuse' })
          opened++
          for await (const { bytes } of log.scan()) {
            expect(written.has(Buffer.from(bytes).toString('hex')), `seed ${seed}`).toBe(true)
          }
          await log.scrub()
        })
      } catch (error) {
        if (!(error instanceof ParakernelError)) throw new Error(`seed ${seed}`, { cause: error })
        refused++
      }
      medium.close()
    }
    expect(opened).toBeGreaterThan(IMAGES / 20)
    expect(refused).toBeGreaterThan(IMAGES / 20)
  })
})

function copyOf(medium: { persistent: { region: { region: { buffer: SharedArrayBuffer } } } | undefined }): Uint8Array {
  const { buffer } = (medium.persistent as { region: { region: { buffer: SharedArrayBuffer } } }).region.region
  return new Uint8Array(buffer, 0, BYTES).slice()
}

function damage(image: Uint8Array, random: Random): void {
  const at = random.below(image.length)
  const kind = random.below(6)
  if (kind === 0) image[at] ^= 1 << random.below(8)
  else if (kind === 1) image.fill(random.below(256), at, at + random.below(64))
  else if (kind === 2) image.fill(0, at - (at % 512), at - (at % 512) + 512)
  else if (kind === 3) image.copyWithin(at - (at % 8), random.below(image.length / 8) * 8, image.length)
  else if (kind === 4) image.set(random.bytes(Math.min(16, image.length - at)), at)
  // The first blocks are small, and matter most.
  else image[random.below(1536)] = random.below(256)
}
