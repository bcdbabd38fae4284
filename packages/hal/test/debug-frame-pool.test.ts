import { describe, expect, test } from 'vitest'
import { assertNoLeaks, createPlainWindow, DebugFramePool, POISON } from '../src/index.ts'

const open = () => new DebugFramePool(createPlainWindow(4, { lease: 9 }))
const fault = (message: RegExp) =>
  expect.objectContaining({
    code: 'EFAULT',
    subject: expect.stringMatching(/^frame -?\d+ of lease 9$/),
    message: expect.stringMatching(message),
  })

describe('a debug pool finds', () => {
  test('a double free', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.release(frame)
    expect(() => pool.release(frame)).toThrow(fault(/free or not of this pool/))
    expect(pool.misuses).toBe(0)
    assertNoLeaks(pool)
  })

  test.each([-1, 4, 99])('frame %d, which is not of this pool', (frame) => {
    const pool = open()
    expect(() => pool.release(frame)).toThrow(fault(/not of this pool/))
    expect(() => pool.retain(frame)).toThrow(fault(/not of this pool/))
    expect(() => pool.lend(frame, 0, 1)).toThrow(fault(/not of this pool/))
    expect(() => pool.giveBack(frame)).toThrow(fault(/no device held it/))
  })

  test('a use after transmit', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.lend(frame, 0, 64)
    expect(() => pool.release(frame)).toThrow(fault(/use after transmit/))
    pool.giveBack(frame)
    assertNoLeaks(pool)
  })

  test('one reference lent twice', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.lend(frame, 0, 64)
    expect(() => pool.lend(frame, 0, 64)).toThrow(fault(/lent twice/))
  })

  test('a write while a device reads', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.lend(frame, 300, 64)
    pool.bytes[pool.address(frame) + 363] ^= 1
    expect(() => pool.giveBack(frame)).toThrow(fault(/written while a device was transmitting/))
  })

  test('a frame that comes back though no device held it', () => {
    const pool = open()
    const frame = pool.allocate()
    expect(() => pool.giveBack(frame)).toThrow(fault(/no device held it/))
    expect(() => pool.handOver(frame)).toThrow(fault(/no device held it/))
  })

  test('a write after free, when the frame is next taken', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.release(frame)
    pool.bytes[pool.address(frame) + 1999] = 7
    expect(() => pool.allocate()).toThrow(fault(/written at byte 1999 after it was freed/))
  })

  test('leaks, with the place that took the frame', () => {
    const pool = open()
    takeOne(pool)
    const lent = pool.allocate()
    pool.lend(lent, 0, 8)
    expect(pool.report()).toMatch(/frame 0: 1 references, Error: taken here[\s\S]*takeOne/)
    expect(pool.report()).toMatch(/frame 1: 1 references, 1 of them a device's/)
    expect(() => assertNoLeaks(pool)).toThrow(/2 frames were not given back/)
  })
})

describe('a debug pool allows', () => {
  test('a write outside what the device reads', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.lend(frame, 300, 64)
    pool.bytes[pool.address(frame) + 299] ^= 1
    pool.bytes[pool.address(frame) + 364] ^= 1
    pool.giveBack(frame)
    assertNoLeaks(pool)
  })

  test('a device to write what was lent for receiving', () => {
    const pool = open()
    const frame = pool.allocateForDevice()
    pool.lend(frame, 0, 0)
    pool.bytes.fill(1, pool.address(frame), pool.address(frame) + 100)
    pool.handOver(frame)
    pool.release(frame)
    assertNoLeaks(pool)
  })

  test('readers beside the device', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.retain(frame)
    pool.lend(frame, 0, 64)
    pool.lend(frame, 10, 5)
    expect(() => pool.release(frame)).toThrow(fault(/use after transmit/))
    pool.giveBack(frame)
    pool.giveBack(frame)
    assertNoLeaks(pool)
  })

  test('a reader to let go while the device still reads', () => {
    const pool = open()
    const frame = pool.allocate()
    pool.retain(frame)
    pool.lend(frame, 0, 64)
    pool.release(frame)
    expect(pool.count(frame)).toBe(1)
    pool.giveBack(frame)
    assertNoLeaks(pool)
  })
})

test('free frames are poisoned, and a report without leaks is empty', () => {
  const pool = open()
  const frame = pool.allocate()
  pool.bytes.fill(0, pool.address(frame), pool.address(frame) + pool.frameSize)
  pool.release(frame)
  expect(new Set(pool.bytes.subarray(0, 4 * pool.frameSize))).toEqual(new Set([POISON]))
  expect(pool.report()).toBe('')
})

test('a new pool over a window has all frames, whatever a lost holder left in them', () => {
  const window = createPlainWindow(4)
  const lost = new DebugFramePool(window)
  lost.bytes.fill(1, lost.address(lost.allocate()), lost.address(1))
  const pool = new DebugFramePool(window)
  for (let i = 0; i < 4; i++) expect(pool.allocate()).toBeGreaterThanOrEqual(0)
})

function takeOne(pool: DebugFramePool): number {
  return pool.allocate()
}
