import { expect, it } from 'vitest'
import { mediaKinds } from './media.ts'
import { openVolume } from './volume.ts'

const BYTES = 1 << 20
const PIECE = 16 * 4096

it('tells how many bytes are copied, and how much is written for what was pushed', async () => {
  const { libos, runtime, close } = await openVolume(mediaKinds[0])
  const qd = libos.creat('/file')
  const before = libos.statistics()
  for (let at = 0; at < BYTES; at += PIECE) {
    const sga = libos.sgaAlloc(PIECE)
    const token = libos.pushAt(qd, sga, at)
    sga.free()
    expect(await runtime.completion(token)).toMatchObject({ kind: 'push', bytes: PIECE })
  }
  const after = libos.statistics()
  const pushed = after.file.bytesPushed - before.file.bytesPushed
  const written = after.medium.bytesWritten - before.medium.bytesWritten
  expect(pushed).toBe(BYTES)
  // One copy into the block cache; the media get every byte once, and what says where it is.
  expect(after.file.bytesCopied - before.file.bytesCopied).toBeLessThanOrEqual(BYTES)
  expect(written).toBeGreaterThanOrEqual(BYTES)
  expect(written).toBeLessThan(1.5 * BYTES)
  await libos.shutdown()
  await close()
})
