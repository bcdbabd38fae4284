import { assertNoLeaks, createPlainWindow, DebugFramePool } from '@parakernel/hal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  allocateSga,
  checkPort,
  formatIpv4,
  formatSocketAddress,
  isIpv4Multicast,
  parseIpv4,
  parseSocketAddress,
  sameSocketAddress,
  sgaFromBytes,
  shareSga,
} from '../src/index.ts'

const invalid = expect.objectContaining({ code: 'EINVAL' })

describe('addresses', () => {
  it('go from text to int32 and back', () => {
    expect(parseIpv4('10.0.0.1')).toBe(0x0a000001)
    expect(parseIpv4('255.255.255.255')).toBe(-1)
    expect(formatIpv4(0xc0a80001)).toBe('192.168.0.1')
    fc.assert(fc.property(fc.integer(), (address) => parseIpv4(formatIpv4(address)) === address))
    fc.assert(fc.property(fc.ipV4(), (text) => formatIpv4(parseIpv4(text)) === text))
  })

  it('that are none are refused', () => {
    for (const text of [
      '',
      '10.0.0',
      '10.0.0.256',
      '010.0.0.1',
      '1.2.3.4.5',
      'a.b.c.d',
      '1.2.3.-4',
      ' 1.2.3.4',
      '::1',
    ]) {
      expect(() => parseIpv4(text), text).toThrow(invalid)
    }
    for (const port of [-1, 65_536, 1.5, Number.NaN]) expect(() => checkPort(port)).toThrow(invalid)
    for (const text of ['10.0.0.1', '10.0.0.1:', ':7', 'fe80::1:7', '10.0.0.1:70000', '[::1]7']) {
      expect(() => parseSocketAddress(text), text).toThrow(invalid)
    }
  })

  it('of groups are told from others', () => {
    expect(['224.0.0.1', '239.255.255.255'].map(parseIpv4).every(isIpv4Multicast)).toBe(true)
    expect(['223.255.255.255', '240.0.0.0', '10.0.0.1'].map(parseIpv4).some(isIpv4Multicast)).toBe(false)
  })

  it('of sockets go to text and back', () => {
    for (const at of [
      { address: '10.0.0.1', port: 7 },
      { address: 'fe80::1', port: 0 },
    ]) {
      expect(sameSocketAddress(parseSocketAddress(formatSocketAddress(at)), at)).toBe(true)
    }
  })
})

describe('arrays', () => {
  it('hold what they are made of, in as many frames as it takes', () => {
    const pool = new DebugFramePool(createPlainWindow(16, { tailroom: 16 }))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000 }), fc.integer({ min: 0, max: 300 }), (bytes, headroom) => {
        const sga = sgaFromBytes(pool, bytes, headroom)
        expect(sga.byteLength).toBe(bytes.byteLength)
        expect(sga.toBytes()).toEqual(new Uint8Array(bytes))
        for (const { frame, address, length } of sga.segments) {
          expect(address - pool.address(frame)).toBe(headroom)
          expect(headroom + length).toBeLessThanOrEqual(pool.frameSize - 16)
        }
        const shared = shareSga(sga)
        sga.free()
        expect(shared.toBytes()).toEqual(new Uint8Array(bytes))
        shared.free()
        assertNoLeaks(pool)
      }),
      { numRuns: 50 },
    )
  })

  it('keep nothing when the pool runs out', () => {
    const pool = new DebugFramePool(createPlainWindow(4))
    expect(() => allocateSga(pool, 100_000)).toThrow(expect.objectContaining({ code: 'ENOBUFS' }))
    expect(pool.available).toBe(4)
    expect(allocateSga(pool, 0).segments).toEqual([])
    for (const length of [-1, 0.5]) expect(() => allocateSga(pool, length)).toThrow(invalid)
  })
})
