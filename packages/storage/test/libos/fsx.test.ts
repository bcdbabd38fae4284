import { runFsx } from '@parakernel/libos-conformance'
import { describe, expect, it } from 'vitest'

import { mediaKinds } from './media.ts'
import { hostVolume } from './oracle.ts'
import { MIB, openVolume } from './volume.ts'

const isLong = process.env.PARAKERNEL_LONG === '1'
const operations = isLong ? 1_000_000 : 20_000
const seed = Number(process.env.PARAKERNEL_SEED ?? (isLong ? Date.now() % 2 ** 31 : 4))

describe.each(mediaKinds)('fsx against the file system of the host, on $name', (kind) => {
  it(
    `agrees over ${operations} operations of seed ${seed}`,
    async (context) => {
      if (kind.missing !== undefined) context.skip(kind.missing)
      const begun = performance.now()
      const report = await runFsx({
        seed,
        operations,
        subject: () => openVolume(kind, { bytes: 32 * MIB, debug: !isLong }),
        oracle: () => hostVolume(),
        failed: (after, what) => console.log(`${kind.name}, seed ${seed}, after ${after}: ${what}`),
        ...(isLong && { progress: (done: number) => done % 100_000 === 0 && console.log(kind.name, done) }),
      })
      expect(report.operations).toBe(operations)
      if (isLong) {
        const seconds = ((performance.now() - begun) / 1000).toFixed(0)
        console.log(`${kind.name}: seed ${seed}, ${seconds} s`, report)
      }
    },
    isLong ? 3_600_000 : 60_000,
  )
})
