// Where a reference becomes cheaper than a copy (Cornflakes): an array of eight fields that lie in the pool, made and freed, by size of field.
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { benchCases, bestNanoseconds } from '@parakernel/tool-bench'
import { SgaBuilder, sgaFromBytes } from '../src/index.ts'

const FIELDS = 8
const OPERATIONS = 2000
const TRIALS = 40

function build(size: number, threshold: number): number {
  const pool = new FramePool(createPlainWindow(256, { frameSize: 16_384 }))
  const fields = Array.from({ length: FIELDS }, () => sgaFromBytes(pool, new Uint8Array(size)).slice(0))
  const builder = new SgaBuilder(pool, threshold)
  return bestNanoseconds(
    OPERATIONS,
    (operations) => {
      for (let i = 0; i < operations; i++) {
        for (let k = 0; k < FIELDS; k++) builder.append(fields[k])
        builder.build().free()
      }
    },
    TRIALS,
  )
}

const sizes = [64, 128, 256, 512, 1024, 2048, 4096]
await benchCases(
  import.meta,
  { title: 'an array of eight fields', unit: 'ns', better: 'less', baseline: '64 bytes, copied' },
  Object.fromEntries(
    sizes.flatMap((size) => [
      [`${size} bytes, copied`, () => build(size, Number.POSITIVE_INFINITY)],
      [`${size} bytes, referenced`, () => build(size, 0)],
    ]),
  ),
)
