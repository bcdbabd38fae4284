import { describe, expect, test } from 'vitest'
import { assertNoLeaks, createPlainWindow, FramePool } from '../src/index.ts'

const open = (frames = 8, deviceReserve = 0) => new FramePool(createPlainWindow(frames), { deviceReserve })

describe('a frame pool', () => {
  test('hands out each frame once, within its window', () => {
    const pool = open(8)
    const frames = Array.from({ length: 8 }, () => pool.allocate())
    expect(frames.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(frames.map((frame) => pool.count(frame))).toEqual(new Array(8).fill(1))
    expect(pool.available).toBe(0)
    expect(pool.allocate()).toBe(-1)
    expect(pool.exhausted).toBe(1)
  })

  test('gives the frame released last out first', () => {
    const pool = open()
    const [a, b] = [pool.allocate(), pool.allocate()]
    pool.release(b)
    pool.release(a)
    expect(pool.allocate()).toBe(a)
    expect(pool.allocate()).toBe(b)
  })

  test('frees a frame when its last reader lets go', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.retain(frame)
    pool.retain(frame)
    pool.release(frame)
    pool.release(frame)
    expect(pool.available).toBe(7)
    expect(pool.holds(frame)).toBe(true)
    pool.release(frame)
    expect(pool.available).toBe(8)
    expect(pool.holds(frame)).toBe(false)
    expect(pool.count(frame)).toBe(0)
  })

  test('keeps a reserve for devices', () => {
    const pool = open(8, 3)
    for (let i = 0; i < 5; i++) expect(pool.allocate()).toBeGreaterThanOrEqual(0)
    expect(pool.belowWatermark).toBe(true)
    expect(pool.allocate()).toBe(-1)
    expect(pool.exhausted).toBe(1)
    for (let i = 0; i < 3; i++) expect(pool.allocateForDevice()).toBeGreaterThanOrEqual(0)
    expect(pool.allocateForDevice()).toBe(-1)
    expect(pool.exhausted).toBe(2)
  })

  test('is above the watermark again when frames come back', () => {
    const pool = open(4, 2)
    const first = pool.allocate()
    pool.allocate()
    expect(pool.belowWatermark).toBe(true)
    pool.release(first)
    expect(pool.belowWatermark).toBe(false)
  })

  test.each([-1, 8, 1_000_000, 3])('counts a release or retain of frame %d, and changes nothing', (frame) => {
    const pool = open(8)
    const held = pool.allocate()
    expect(held).not.toBe(3)
    pool.release(frame)
    pool.retain(frame)
    expect(pool.misuses).toBe(2)
    expect(pool.available).toBe(7)
    pool.release(held)
    expect(() => assertNoLeaks(pool)).toThrow(expect.objectContaining({ code: 'EFAULT' }))
  })

  test('addresses frames from the start of its window', () => {
    const window = createPlainWindow(8, { frameSize: 4096 })
    const second = new FramePool({ ...window, byteOffset: 4 * 4096, frameCount: 4 })
    expect([second.address(0), second.address(3)]).toEqual([16_384, 28_672])
    expect(second.bytes.length).toBe(window.region.byteLength)
    second.view.setUint32(second.address(1), 0xdeadbeef)
    expect([...second.bytes.subarray(20_480, 20_484)]).toEqual([0xde, 0xad, 0xbe, 0xef])
  })

  test('lending, giving back and handing over keep no record', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.lend(frame, 0, 100)
    pool.giveBack(frame)
    const other = pool.allocateForDevice()
    pool.lend(other, 0, 0)
    pool.handOver(other)
    pool.release(other)
    assertNoLeaks(pool)
  })

  test('a leak names the lease and how many frames', () => {
    const pool = new FramePool(createPlainWindow(4, { lease: 77 }))
    pool.allocate()
    pool.allocate()
    expect(() => assertNoLeaks(pool)).toThrow(/lease 77: 2 frames/)
  })
})
