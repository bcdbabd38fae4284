import { benchCases, keep, perCall } from '@parakernel/tool-bench'
import { createPlainWindow, FramePool } from '../src/index.ts'

// What it costs to copy a segment's payload (1448 bytes) from frame to frame, into a frame and out of one, by the pool and by the
// engine's own means. Source and target are aligned differently, as headers make them.
const LENGTH = 1448
const FRAMES = 64

function setUp() {
  const pool = new FramePool(createPlainWindow(2 * FRAMES))
  const own = new Uint8Array(LENGTH + 1)
  let next = 0
  // Not the same frame again and again.
  const turn = () => {
    next = (next + 1) % FRAMES
    return pool.address(next) + 317
  }
  const target = (from: number) => from + FRAMES * pool.frameSize - 51
  return { pool, own, turn, target }
}

await benchCases(
  import.meta,
  { title: 'copies of 1448 bytes', unit: 'ns per copy', better: 'less' },
  {
    'frame to frame: pool.copy': () => {
      const { pool, turn, target } = setUp()
      return perCall(() => {
        const from = turn()
        pool.copy(target(from), from, LENGTH)
        return keep(from)
      })
    },
    'frame to frame: copyWithin': () => {
      const { pool, turn, target } = setUp()
      return perCall(() => {
        const from = turn()
        pool.bytes.copyWithin(target(from), from, from + LENGTH)
        return keep(from)
      })
    },
    'out of a frame: pool.copyOut': () => {
      const { pool, own, turn } = setUp()
      return perCall(() => {
        const from = turn()
        pool.copyOut(from, LENGTH, own)
        return keep(own[0])
      })
    },
    'out of a frame: set': () => {
      const { pool, own, turn } = setUp()
      return perCall(() => {
        const from = turn()
        own.set(pool.bytes.subarray(from, from + LENGTH))
        return keep(own[0])
      })
    },
    'into a frame: pool.copyIn': () => {
      const { pool, own, turn } = setUp()
      return perCall(() => {
        const to = turn()
        pool.copyIn(to, own, 0, LENGTH)
        return keep(to)
      })
    },
    'into a frame: set': () => {
      const { pool, own, turn } = setUp()
      const source = own.subarray(0, LENGTH)
      return perCall(() => {
        const to = turn()
        pool.bytes.set(source, to)
        return keep(to)
      })
    },
  },
)
