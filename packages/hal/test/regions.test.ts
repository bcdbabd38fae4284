import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import {
  createFrameWindow,
  createPlainRegion,
  createPlainWindow,
  createRegionMemory,
  DEFAULT_FRAME_SIZE,
  DEFAULT_HEADROOM,
  FramePool,
  REGION_MAX,
  REGION_PAGE,
  wasm,
} from '../src/index.ts'

const invalid = (message: RegExp) =>
  expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(message), subject: expect.any(String) })

describe('a region', () => {
  test('is whole pages of shared memory', () => {
    const region = createPlainRegion(100_000)
    expect(region.byteLength).toBe(2 * REGION_PAGE)
    expect(region.buffer).toBeInstanceOf(SharedArrayBuffer)
    expect(region).toMatchObject({ kind: 'plain', fd: -1 })
    expect(new Set(new Uint8Array(region.buffer))).toEqual(new Set([0]))
  })

  test.each([0, -1, Number.NaN, REGION_MAX + 1, Infinity])('of %d bytes is refused', (length) => {
    expect(() => createPlainRegion(length)).toThrow(invalid(/is not between/))
    expect(() => createRegionMemory(length)).toThrow(invalid(/is not between/))
  })

  test('reaches a worker and a WebAssembly instance as it is', async () => {
    const region = createPlainRegion(1)
    const code = `
      const { parentPort, workerData } = require('node:worker_threads')
      new Uint8Array(workerData.buffer)[7] = 42
      new Uint8Array(workerData.memory.buffer)[8] = 43
      parentPort.postMessage('done')`
    const worker = new Worker(code, { eval: true, workerData: region })
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
    await worker.terminate()
    expect([...new Uint8Array(region.buffer, 7, 2)]).toEqual([42, 43])
    // (module (import "m" "m" (memory 1 1 shared)) (func (export "f") (result i32) i32.const 7 i32.load8_u))
    const module = new wasm.Module(
      Uint8Array.from([
        0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 127, 2, 9, 1, 1, 109, 1, 109, 2, 3, 1, 1, 3, 2, 1, 0, 7, 5, 1,
        1, 102, 0, 0, 10, 9, 1, 7, 0, 65, 7, 45, 0, 0, 11,
      ]),
    )
    const instance = new wasm.Instance(module, { m: { m: region.memory } })
    expect((instance.exports['f'] as () => number)()).toBe(42)
  })
})

describe('a window', () => {
  const region = createPlainRegion(1 << 20)

  test('has sensible defaults', () => {
    const window = createFrameWindow({ region, frameCount: 10 })
    expect(window).toMatchObject({
      byteOffset: 0,
      frameSize: DEFAULT_FRAME_SIZE,
      headroom: DEFAULT_HEADROOM,
      tailroom: 0,
      frameCount: 10,
    })
    expect(createFrameWindow({ region, frameCount: 1 }).lease).toBe(window.lease + 1)
    // The headers of Ethernet, IPv4 and UDP that follow the headroom are read by words.
    expect((DEFAULT_HEADROOM + 14) % 4).toBe(0)
    expect((DEFAULT_HEADROOM + 14 + 20 + 8) % 8).toBe(0)
  })

  test.each([
    [{ frameSize: 100 }, /frame size/],
    [{ frameSize: 32 }, /frame size/],
    [{ frameSize: Number.NaN }, /frame size/],
    [{ frameCount: 0 }, /frame count/],
    [{ frameCount: 1.5 }, /frame count/],
    [{ byteOffset: 100 }, /byte offset/],
    [{ byteOffset: -2048 }, /byte offset/],
    [{ frameCount: 513 }, /end beyond/],
    [{ byteOffset: 1 << 20 }, /end beyond/],
    [{ headroom: -1 }, /headroom/],
    [{ headroom: 2.5 }, /headroom/],
    [{ headroom: Number.NaN }, /headroom/],
    [{ tailroom: -1 }, /headroom/],
    [{ headroom: 2000, tailroom: 48 }, /headroom/],
  ])('%j is refused', (options, message) => {
    expect(() => createFrameWindow({ region, frameCount: 1, ...options })).toThrow(invalid(message))
  })

  test('windows of one region do not touch', () => {
    const first = new FramePool(createFrameWindow({ region, frameCount: 4 }))
    const second = new FramePool(createFrameWindow({ region, frameCount: 4, byteOffset: 4 * 2048 }))
    expect(first.address(3) + first.frameSize).toBe(second.address(0))
  })

  test('is clonable, and the clone is the same memory', () => {
    const window = createPlainWindow(4)
    const clone = structuredClone(window)
    new Uint8Array(clone.region.buffer)[5] = 9
    expect(new Uint8Array(window.region.buffer)[5]).toBe(9)
    expect(clone.lease).toBe(window.lease)
  })
})
