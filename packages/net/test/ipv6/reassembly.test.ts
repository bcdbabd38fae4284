import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as counters from '../../src/ipv6/counters.ts'
import { HeaderChain, walkHeaders } from '../../src/ipv6/extension-headers.ts'
import {
  FRAGMENT_COMPLETE,
  FRAGMENT_KEPT,
  Ipv6Reassembly,
  type Ipv6ReassemblyLimits,
  type PartialDatagram6,
} from '../../src/ipv6/reassembly.ts'
import {
  fragmentHeader,
  type Ipv6Fields,
  ipv6Packet,
  memoryAt,
  optionsHeader,
  PEER,
  readIpv6,
} from './support/frames6.ts'

const limits: Ipv6ReassemblyLimits = { datagrams: 4, perSource: 2, fragments: 16, timeout: 60e9 }

function start(over: Partial<Ipv6ReassemblyLimits> = {}) {
  const core = new Ipv6Reassembly({ ...limits, ...over })
  const chain = new HeaderChain()
  return {
    core,
    chain,
    /** Takes a fragment; `data` stands at `offset` of the fragmentable part. */
    take(
      data: Uint8Array,
      offset: number,
      more: boolean,
      fields: Ipv6Fields & { id?: number; now?: number; next?: number; before?: Uint8Array } = {},
    ) {
      const { id = 1, now = 0, next = 17, before } = fields
      const header = fragmentHeader(next, offset, more, id)
      const payload = Uint8Array.from([...(before ?? []), ...header, ...data])
      const packet = ipv6Packet(payload, { nextHeader: before === undefined ? 44 : 60, ...fields })
      const memory = memoryAt(packet, 5)
      expect(walkHeaders(memory.view, 5, 5 + packet.length, false, chain)).toBe(-1)
      return core.insert(memory, 5, 5 + packet.length, chain, false, now)
    },
    packet() {
      const { complete } = core
      return complete.memory.bytes.slice(complete.packet, complete.packet + complete.length)
    },
  }
}

const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => i * 7)

describe('IPv6 reassembly', () => {
  it('puts fragments together in any order, duplicates included (RFC 8200 section 4.5)', () => {
    const data = pattern(400)
    const cuts = [0, 80, 160, 320, 400]
    const pieces = cuts.slice(1).map((end, i) => ({ at: cuts[i], end }))
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }), fc.nat(3), (order, twice) => {
        const { take, packet } = start()
        let result = FRAGMENT_KEPT
        for (const i of [order[0], order[Math.min(twice, 1)], ...order.slice(1)]) {
          const { at, end } = pieces[i]
          if (result === FRAGMENT_COMPLETE) return
          result = take(data.subarray(at, end), at, end !== 400)
        }
        expect(result).toBe(FRAGMENT_COMPLETE)
        expect(readIpv6(packet())).toMatchObject({ next: 17, source: PEER, payload: data })
      }),
    )
  })

  it('keeps the headers before the fragment header, taken out of their chain', () => {
    const { take, packet } = start()
    const before = optionsHeader(44, [1, 4, 0, 0, 0, 0])
    take(pattern(16), 0, true, { before, hopLimit: 9 })
    expect(take(pattern(8), 16, false)).toBe(FRAGMENT_COMPLETE)
    const whole = readIpv6(packet())
    expect(whole).toMatchObject({ next: 60, hopLimit: 9 })
    expect([...whole.payload]).toEqual([17, 0, 1, 4, 0, 0, 0, 0, ...pattern(16), ...pattern(8)])
  })

  it('is by source, destination and identification, and takes the next header of the first fragment', () => {
    const { take, packet } = start()
    take(pattern(8), 8, false, { next: 99 })
    expect(take(pattern(8), 0, true, { id: 2 })).toBe(FRAGMENT_KEPT)
    expect(take(pattern(8), 0, true, { source: '2001:db8::3' })).toBe(FRAGMENT_KEPT)
    expect(take(pattern(8), 0, true)).toBe(FRAGMENT_COMPLETE)
    expect(readIpv6(packet()).next).toBe(17)
  })

  it('discards the whole datagram, and what comes of it later, when fragments overlap (RFC 5722 section 4)', () => {
    for (const [offset, length, more] of [
      [8, 16, true],
      [16, 8, true],
      [8, 8, false],
    ] as const) {
      const { take, core } = start()
      take(pattern(24), 0, true)
      expect(take(pattern(length), offset, more)).toBe(counters.DROP_IP6_FRAGMENT_OVERLAP)
      expect(take(pattern(8), 24, false)).toBe(counters.DROP_IP6_FRAGMENT_OVERLAP)
      const expired: PartialDatagram6[] = []
      core.expire(60e9, (datagram) => expired.push(datagram))
      expect(expired).toEqual([])
      expect(core.size).toBe(0)
    }
  })

  it('refuses two ends, and data beyond the end', () => {
    const one = start()
    one.take(pattern(8), 16, false)
    expect(one.take(pattern(8), 24, false)).toBe(counters.DROP_IP6_FRAGMENT_OVERLAP)
    const two = start()
    two.take(pattern(8), 16, false)
    expect(two.take(pattern(8), 24, true)).toBe(counters.DROP_IP6_FRAGMENT_OVERLAP)
    const three = start()
    three.take(pattern(8), 24, true)
    expect(three.take(pattern(8), 8, false)).toBe(counters.DROP_IP6_FRAGMENT_OVERLAP)
  })

  it('tells the sender of a length that is no multiple of 8, at the payload length', () => {
    const { take, chain } = start()
    expect(take(pattern(9), 0, true)).toBe(counters.DROP_IP6_FRAGMENT_MISALIGNED)
    expect(chain).toMatchObject({ problem: 0, problemAt: 5 + 4 })
    expect(take(new Uint8Array(0), 8, false)).toBe(counters.DROP_IP6_FRAGMENT_MISALIGNED)
  })

  it('tells the sender of an end beyond 65,535 bytes, at the fragment offset', () => {
    const { take, chain } = start()
    expect(take(pattern(8), 65_528, false)).toBe(counters.DROP_IP6_FRAGMENT_TOO_LONG)
    expect(chain).toMatchObject({ problem: 0, problemAt: 5 + 40 + 2 })
    expect(take(pattern(7), 65_528, false)).toBe(FRAGMENT_KEPT)
  })

  it("counts the first fragment's headers against that too", () => {
    const { take } = start({ fragments: 64 })
    for (let at = 1400; at < 65_528; at += 1400) take(pattern(Math.min(1400, 65_528 - at)), at, true)
    take(pattern(7), 65_528, false)
    const before = optionsHeader(44, [1, 4, 0, 0, 0, 0])
    expect(take(pattern(1400), 0, true, { before })).toBe(counters.DROP_IP6_FRAGMENT_TOO_LONG)
  })

  it('tells the sender of a first fragment without the upper layer: code 3, pointer 0 (RFC 7112 section 5)', () => {
    const { take, chain } = start()
    expect(take(pattern(8), 0, true, { next: 6 })).toBe(counters.DROP_IP6_FRAGMENT_INCOMPLETE)
    expect(chain).toMatchObject({ problem: 3, problemAt: 5 })
    expect(take(pattern(8), 0, true, { next: 60 })).toBe(counters.DROP_IP6_FRAGMENT_INCOMPLETE)
    expect(take(pattern(24), 0, true, { next: 6 })).toBe(FRAGMENT_KEPT)
  })

  it('gives up 60 s after the first fragment that came, with what is to be quoted', () => {
    const { take, core } = start()
    take(pattern(8), 8, true, { id: 1, now: 5e9 })
    take(pattern(1304), 0, true, { id: 2, now: 6e9 })
    expect(core.nextEvent()).toBe(65e9)
    const quotes: number[] = []
    core.expire(65e9 - 1, ({ quoteLength }) => quotes.push(quoteLength))
    expect(quotes).toEqual([])
    core.expire(66e9, ({ quoteLength }) => quotes.push(quoteLength))
    // No first fragment, no message; else as much as fits 1280 bytes (RFC 4443 section 2.4 c).
    expect(quotes).toEqual([0, 1232])
    expect(core.nextEvent()).toBe(Number.POSITIVE_INFINITY)
  })

  it('bounds datagrams of a source, in all, and fragments: the oldest gives way', () => {
    const { take, core } = start({ fragments: 2 })
    for (const id of [1, 2, 3]) take(pattern(8), 0, true, { id, now: id })
    expect([core.size, core.displaced]).toEqual([2, 1])
    for (let i = 3; i < 9; i++) take(pattern(8), 0, true, { source: `2001:db8::${i}` })
    expect(core.size).toBe(4)
    const few = start({ fragments: 2 })
    few.take(pattern(8), 0, true)
    few.take(pattern(8), 16, true)
    expect(few.take(pattern(8), 32, true)).toBe(counters.DROP_IP6_FRAGMENT_EXHAUSTED)
    expect(few.take(pattern(8), 8, true)).toBe(counters.DROP_IP6_FRAGMENT_OVERLAP)
  })

  it('carries congestion marks of any fragment over (RFC 3168 section 5.3)', () => {
    const { take, packet } = start()
    take(pattern(8), 0, true, { trafficClass: 0x22 })
    take(pattern(8), 8, false, { trafficClass: 0x23 })
    expect(readIpv6(packet()).trafficClass).toBe(0x23)
  })

  it('never writes outside of its memory, whatever comes', () => {
    const fragment = fc.record({
      offset: fc.integer({ min: 0, max: 8191 }).map((n) => n * 8),
      length: fc.integer({ min: 0, max: 1500 }),
      more: fc.boolean(),
      id: fc.integer({ min: 0, max: 2 }),
    })
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 40 }), (fragments) => {
        const { take, core } = start()
        for (const { offset, length, more, id } of fragments) {
          // An atomic one is no fragment: it never gets here.
          if (offset === 0 && !more) continue
          const result = take(pattern(length), offset, more, { id, next: 59 })
          if (result === FRAGMENT_COMPLETE) expect(core.complete.received).toBe(core.complete.total)
        }
        expect(core.size).toBeLessThanOrEqual(2)
      }),
    )
  })
})
