import { join } from 'node:path'
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { BLOCK_FUA, BLOCK_READ, BLOCK_WRITE, BlockBurst, BlockCompletions } from '@parakernel/hal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Rig, requireIoUring } from './rig.ts'

const COMMANDS = 1_000_000
const BURST = 32

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

test(`submit and complete allocate nothing: ${COMMANDS} commands`, { timeout: 120_000 }, async () => {
  const { queue, pool } = rig.attach(await rig.open({ path: join(rig.folder('memory'), 'image'), blockSize: 512 }))
  const burst = new BlockBurst(BURST, BURST * 2)
  const done = new BlockCompletions(BURST)
  for (let i = 0; i < BURST; i++) {
    // Reads and writes, of one segment and of two, some of them durable at once.
    burst.opcode[i] = i % 2 === 0 ? BLOCK_READ : BLOCK_WRITE
    burst.namespace[i] = 1
    burst.blocks[i] = 2
    burst.cookie[i] = i
    burst.firstSegment[i] = i * 2
    burst.segmentCount[i] = i % 3 === 0 ? 2 : 1
    burst.frame[i * 2] = pool.allocate()
    burst.length[i * 2] = i % 3 === 0 ? 512 : 1024
    burst.frame[i * 2 + 1] = pool.allocate()
    burst.length[i * 2 + 1] = 512
  }
  let at = 0
  let good = 0
  const round = () => {
    for (let i = 0; i < BURST; i++) {
      at = (at + 7) % 2000
      burst.lba[i] = at
      burst.flags[i] = i % 4 === 1 ? BLOCK_FUA : 0
    }
    burst.count = BURST
    queue.submit(burst)
    for (let left = BURST; left > 0; ) {
      const n = queue.complete(done)
      left -= n
      for (let i = 0; i < n; i++) good += done.status[i] === 0 ? 1 : 0
    }
  }
  for (let i = 0; i < 3000; i++) round()

  let collections = 0
  const observer = new PerformanceObserver((list) => {
    collections += list.getEntries().length
  })
  observer.observe({ entryTypes: ['gc'] })
  global.gc?.()
  await pause(20)
  collections = 0
  good = 0
  const heap = process.memoryUsage().heapUsed
  while (good < COMMANDS) round()
  const grown = process.memoryUsage().heapUsed - heap
  await pause(20)
  observer.disconnect()
  expect(good).toBe(COMMANDS)
  expect({ collections, grownPerCommand: Math.round((grown / COMMANDS) * 10) / 10 }).toEqual({
    collections: 0,
    grownPerCommand: expect.toSatisfy((bytes: number) => bytes < 1),
  })
})
