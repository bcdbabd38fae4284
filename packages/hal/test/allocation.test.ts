import { expect, test } from 'vitest'
import {
  ALL_COLUMNS,
  ControlBlock,
  checkPacket,
  createPlainWindow,
  FramePool,
  NetBurst,
  NetCounters,
  packetEntries,
  RX_BYTES,
  RX_PACKETS,
  refusePacket,
  TX_TOO_LONG,
  WakeWord,
} from '../src/index.ts'
import { capabilities } from './support/capabilities.ts'
import { collectionsDuring } from './support/gc.ts'

const MILLION = 1_000_000

test('a million frames taken, retained, lent and released run the collector not once', async () => {
  const pool = new FramePool(createPlainWindow(64))
  const runs = await collectionsDuring(() => {
    for (let i = 0; i < MILLION; i++) {
      const frame = pool.allocate()
      pool.retain(frame)
      pool.lend(frame, 262, 60)
      pool.giveBack(frame)
      pool.release(frame)
      const other = pool.allocateForDevice()
      pool.handOver(other)
      pool.release(other)
    }
  })
  expect(pool.available).toBe(64)
  expect(runs).toBe(0)
})

test('a million entries pushed, copied and checked run the collector not once', async () => {
  const pool = new FramePool(createPlainWindow(64))
  const frames = Array.from({ length: 32 }, () => pool.allocate())
  const burst = new NetBurst(32, ALL_COLUMNS)
  const other = new NetBurst(32, ALL_COLUMNS)
  const counters = new NetCounters().values
  let good = 0
  const runs = await collectionsDuring(() => {
    for (let i = 0; i < MILLION; i += 32) {
      burst.count = 0
      other.count = 32
      for (let k = 0; k < 32; k++) burst.push(frames[k], 262, k === 7 ? 1600 : 60)
      for (let at = 0; at < 32; ) {
        const entries = packetEntries(burst, at)
        const refusal = checkPacket(burst, at, entries, pool, capabilities)
        if (refusal >= 0) refusePacket(burst, at, entries, refusal, counters)
        else good++
        other.copyEntry(at, burst, at)
        counters[RX_PACKETS]++
        counters[RX_BYTES] += 60
        at += entries
      }
    }
  })
  expect(good).toBe((2 * MILLION * 31) / 32)
  expect(counters[TX_TOO_LONG]).toBe((2 * MILLION) / 32)
  expect(runs).toBe(0)
})

test('a million looks at a control block and a wake word run the collector not once', async () => {
  const control = new ControlBlock()
  const word = new WakeWord(new SharedArrayBuffer(64))
  let sum = 0
  const runs = await collectionsDuring(() => {
    for (let i = 0; i < MILLION; i++) {
      sum = (sum + control.epoch + control.state) | 0
      word.notify()
      sum = (sum + word.announce()) | 0
      word.cancel()
    }
  })
  expect(sum).not.toBe(0)
  expect(runs).toBe(0)
})
