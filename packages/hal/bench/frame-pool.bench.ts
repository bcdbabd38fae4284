import { benchCases, keep, perCall } from '@parakernel/tool-bench'
import {
  checkPacket,
  createPlainWindow,
  DebugFramePool,
  FramePool,
  NetBurst,
  type NetCapabilities,
  packetEntries,
} from '../src/index.ts'

// What a queue and a libOS do with frames for each packet. Budget: 5 ns for a frame taken and released.
const BURST = 32
const capabilities: NetCapabilities = {
  columns: 0,
  checksum: { verifies: false, computes: false },
  partialChecksums: 'never',
  transmitSegmentation: 0,
  receiveSegmentation: 0,
  maxChain: 1,
  transmitAlignment: 1,
  maxPacket: 1514,
  maxSuperPacket: 1514,
  ringSize: 256,
  steering: false,
  rss: 'none',
  receiveFilter: false,
  attach: 'worker',
  regions: ['plain'],
}

function heldPool() {
  const pool = new FramePool(createPlainWindow(1024))
  return { pool, held: Int32Array.from({ length: BURST }, () => pool.allocate()) }
}

await benchCases(
  import.meta,
  { title: 'frame pool', unit: 'ns per frame', better: 'less', baseline: 'allocate + release' },
  {
    'allocate + release': () => {
      const { pool } = heldPool()
      return perCall(() => {
        const frame = pool.allocate()
        pool.release(frame)
        return keep(frame)
      })
    },
    'allocate + lend + giveBack': () => {
      const { pool } = heldPool()
      return perCall(() => {
        const frame = pool.allocate()
        pool.lend(frame, 262, 60)
        pool.giveBack(frame)
        return keep(frame)
      })
    },
    'retain + release': () => {
      const { pool, held } = heldPool()
      return perCall(() => {
        pool.retain(held[0])
        pool.release(held[0])
        return keep(pool.count(held[0]))
      })
    },
    '32 taken, then released': async () => {
      const { pool } = heldPool()
      const frames = new Int32Array(BURST)
      const time = await perCall(() => {
        for (let i = 0; i < BURST; i++) frames[i] = pool.allocate()
        for (let i = 0; i < BURST; i++) pool.release(frames[i])
        return keep(pool.available)
      })
      return time / BURST
    },
    '32 pushed and checked': async () => {
      const { pool, held } = heldPool()
      const burst = new NetBurst(BURST)
      const time = await perCall(() => {
        burst.count = 0
        for (let i = 0; i < BURST; i++) burst.push(held[i], 262, 60)
        let good = 0
        for (let at = 0; at < BURST; ) {
          const entries = packetEntries(burst, at)
          if (checkPacket(burst, at, entries, pool, capabilities) < 0) good++
          at += entries
        }
        return keep(good)
      })
      return time / BURST
    },
    'debug pool: allocate + release': () => {
      const pool = new DebugFramePool(createPlainWindow(64))
      return perCall(() => {
        const frame = pool.allocate()
        pool.release(frame)
        return keep(frame)
      })
    },
  },
)
