import fc from 'fast-check'
import { expect, test } from 'vitest'
import { blockCopy, createPlainRegion, createPlainWindow, FramePool, type WasmMemory, wasm } from '../src/index.ts'

test('copies any range to any place, overlaps too', () => {
  const pool = new FramePool(createPlainWindow(4))
  const size = 8192
  const at = fc.nat(size - 1)
  fc.assert(
    fc.property(at, at, fc.nat(4000), fc.infiniteStream(fc.nat(255)), (to, from, length, noise) => {
      const fits = Math.min(length, size - to, size - from)
      for (let i = 0; i < size; i += 7) pool.bytes[i] = noise.next().value as number
      const expected = pool.bytes.slice()
      expected.copyWithin(to, from, from + fits)
      pool.copy(to, from, fits)
      expect(Buffer.compare(pool.bytes, expected)).toBe(0)
    }),
  )
})

test('throws at the end of the memory, and writes nothing', () => {
  const region = createPlainRegion(65_536)
  const copy = blockCopy(region.memory)
  expect(() => copy(65_000, 0, 1000)).toThrow('out of bounds')
  expect(() => copy(0, -1, 10)).toThrow('out of bounds')
  expect(blockCopy(region.memory)).toBe(copy)
})

test('works where the memory is not shared', () => {
  const memory: WasmMemory = new wasm.Memory({ initial: 1, maximum: 1, shared: false })
  const bytes = new Uint8Array(memory.buffer)
  bytes[5] = 7
  blockCopy(memory)(100, 5, 1)
  expect(bytes[100]).toBe(7)
})
