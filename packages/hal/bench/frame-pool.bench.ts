import { bench, boxplot, do_not_optimize, run, summary } from 'mitata'
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
const window = createPlainWindow(1024)
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

const pool = new FramePool(window)
const held = Int32Array.from({ length: BURST }, () => pool.allocate())

summary(() => {
  bench('allocate + release', () => {
    const frame = pool.allocate()
    pool.release(frame)
    return do_not_optimize(frame)
  })
  bench('allocate + lend + giveBack', () => {
    const frame = pool.allocate()
    pool.lend(frame, 262, 60)
    pool.giveBack(frame)
    return do_not_optimize(frame)
  })
  bench('retain + release', () => {
    pool.retain(held[0])
    pool.release(held[0])
    return do_not_optimize(pool.count(held[0]))
  })
})

boxplot(() => {
  const frames = new Int32Array(BURST)
  bench('32 frames taken, then released', () => {
    for (let i = 0; i < BURST; i++) frames[i] = pool.allocate()
    for (let i = 0; i < BURST; i++) pool.release(frames[i])
    return do_not_optimize(pool.available)
  })

  const burst = new NetBurst(BURST)
  bench('32 packets pushed and checked', () => {
    burst.count = 0
    for (let i = 0; i < BURST; i++) burst.push(held[i], 262, 60)
    let good = 0
    for (let at = 0; at < BURST; ) {
      const entries = packetEntries(burst, at)
      if (checkPacket(burst, at, entries, pool, capabilities) < 0) good++
      at += entries
    }
    return do_not_optimize(good)
  })
})

const debug = new DebugFramePool(createPlainWindow(64))
bench('debug pool: allocate + release', () => {
  const frame = debug.allocate()
  debug.release(frame)
  return do_not_optimize(frame)
})

await run()
