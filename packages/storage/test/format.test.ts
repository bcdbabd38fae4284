import { createPlainRegion } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crc32c, createPlainChecksum, decodeHeader, encodeHeader, memoryChecksum } from '../src/index.ts'

describe('CRC-32C', () => {
  it('is that of the published examples', () => {
    const hex = (bytes: Uint8Array) => (crc32c(bytes) >>> 0).toString(16)
    expect(hex(new TextEncoder().encode('123456789'))).toBe('e3069283')
    // RFC 3720, B.4: 32 bytes of zeroes, of ones, rising, falling.
    expect(hex(new Uint8Array(32))).toBe('8a9136aa')
    expect(hex(new Uint8Array(32).fill(255))).toBe('62a8ab43')
    expect(hex(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe('46dd794e')
    expect(hex(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe('113fdb5c')
  })

  it('is the same by WebAssembly, in JavaScript, over any array, and in pieces', () => {
    const region = createPlainRegion(200_000)
    const bytes = new Uint8Array(region.buffer)
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 2654435761) >>> 13
    const kernel = memoryChecksum(region.memory)
    const plain = createPlainChecksum(region.memory)
    const range = fc.tuple(fc.nat(70_000), fc.oneof(fc.nat(64), fc.nat(100_000)), fc.integer())
    fc.assert(
      fc.property(range, fc.double({ min: 0, max: 1, noNaN: true }), ([at, length, seed], cut) => {
        const whole = plain.crc(seed, at, length)
        const first = Math.floor(length * cut)
        expect(kernel.crc(seed, at, length)).toBe(whole)
        expect(kernel.crc(kernel.crc(seed, at, first), at + first, length - first)).toBe(whole)
        expect(crc32c(bytes.slice(at, at + length), seed)).toBe(whole)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the header of an image', () => {
  const header = {
    kind: 'files',
    version: 3,
    blockSize: 4096,
    byteLength: 2 ** 40 + 4096,
    uuid: Uint8Array.from({ length: 16 }, (_, i) => i),
    parameters: [1, 2, 3, 4, 5, 6, 7, 2 ** 52],
  } as const

  it('comes back as it was', () => {
    expect(decodeHeader(encodeHeader(header))).toEqual(header)
  })

  it('is refused with any bit changed', () => {
    const bytes = encodeHeader(header)
    for (let bit = 0; bit < 128 * 8; bit++) {
      bytes[bit >> 3] ^= 1 << (bit & 7)
      expect(typeof decodeHeader(bytes), `bit ${bit}`).toBe('string')
      bytes[bit >> 3] ^= 1 << (bit & 7)
    }
  })
})
