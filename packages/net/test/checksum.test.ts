import { createPlainWindow, FramePool } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fold, pseudoHeaderSum, sumBytes } from '../src/checksum/internet-checksum.ts'
import { internetChecksum, poolMemory, updateChecksum } from '../src/index.ts'
import { hex, memoryOf, slowChecksum } from './support/frames.ts'

describe('the Internet checksum', () => {
  it('is that of the example in RFC 1071 section 3', () => {
    const memory = memoryOf(hex('0001 f203 f4f5 f6f7'))
    expect(sumBytes(memory, 0, 8)).toBe(0xddf2)
    expect(internetChecksum(memory, 0, 8)).toBe(0x220d)
  })

  it('is 0 over a header that contains it', () => {
    const header = hex('4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7')
    expect(internetChecksum(memoryOf(header), 0, 20)).toBe(0)
  })

  it('agrees with 16 bits at a time, at every alignment and length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: 7 }), (bytes, at) => {
        expect(internetChecksum(memoryOf(bytes, at), at, bytes.length)).toBe(slowChecksum(bytes))
      }),
      { numRuns: 2000 },
    )
  })

  it('agrees over a region too, where long runs are summed by blocks', () => {
    const pool = new FramePool(createPlainWindow(64))
    const memory = poolMemory(pool)
    expect(memory.sumBlocks).toBeTypeOf('function')
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2000 }),
        fc.integer({ min: 0, max: 31 }),
        fc.integer(),
        (length, at, seed) => {
          const bytes = Uint8Array.from({ length }, (_, i) => Math.imul(seed + i, 0x9e3779b1) >>> 24)
          memory.bytes.set(bytes, at)
          expect(internetChecksum(memory, at, length)).toBe(slowChecksum(bytes))
        },
      ),
      { numRuns: 2000 },
    )
    memory.bytes.fill(0xff, 0, 65_535)
    expect(internetChecksum(memory, 0, 65_535)).toBe(slowChecksum(new Uint8Array(65_535).fill(0xff)))
  })

  it('does not overflow over 64 KiB of ones', () => {
    const bytes = new Uint8Array(65_535).fill(0xff)
    expect(internetChecksum(memoryOf(bytes), 0, bytes.length)).toBe(slowChecksum(bytes))
  })

  it('is updated for a word that changes (RFC 1624)', () => {
    expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000)
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: 0, max: 0xffff }),
        (bytes, word, value) => {
          const before = slowChecksum(bytes)
          const old = (bytes[2 * word] << 8) | bytes[2 * word + 1]
          bytes[2 * word] = value >> 8
          bytes[2 * word + 1] = value & 255
          const updated = updateChecksum(before, old, value)
          // Both forms of zero are the same number.
          expect(updated % 0xffff).toBe(slowChecksum(bytes) % 0xffff)
        },
      ),
    )
  })

  it('sums a pseudo-header without losing a carry', () => {
    expect(fold(pseudoHeaderSum(-1, -1, 17, 65_535))).toBe(fold(0xffff * 5 + 17))
  })
})
