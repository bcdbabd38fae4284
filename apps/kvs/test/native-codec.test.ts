import { createPlainRegion } from '@parakernel/hal'
import { OP_CAS, OP_GET, OP_SET, RequestBatch } from '@parakernel/mica'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PACKET_HEADER_BYTES, pad8, STATUS_BAD_VERSION, STATUS_MALFORMED } from '../src/protocol/native/layout.ts'
import { NOT_A_REQUEST, RequestParser } from '../src/protocol/native/request-parser.ts'
import {
  OperationFields,
  requestBytes,
  writeOperation,
  writeRequestHeader,
} from '../src/protocol/native/request-writer.ts'
import { ResponseReader } from '../src/protocol/native/response-reader.ts'
import { type Op, request, responses } from './support/native.ts'

const region = createPlainRegion(1 << 16)
const bytes = new Uint8Array(region.buffer)
const batch = new RequestBatch(region.memory, 32_768, 160)
const parser = new RequestParser(batch)
const AT = 1024

function parse(packet: Uint8Array, now = 0): number {
  bytes.fill(0xee, 0, 32_768)
  bytes.set(packet, AT)
  batch.count = 0
  return parser.parse(AT, packet.length, now)
}

const op: fc.Arbitrary<Op> = fc
  .record({
    opcode: fc.nat(255),
    key: fc.string({ maxLength: 255, unit: 'binary-ascii' }),
    value: fc.string({ maxLength: 200, unit: 'binary-ascii' }),
    opaque: fc.nat(0xffffffff),
    ttl: fc.nat(0xffffffff),
    extended: fc.boolean(),
    operand: fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
    flags: fc.nat(0xffffffff),
  })
  .map(({ extended, operand, flags, ...rest }) => (extended ? { ...rest, operand, flags } : rest))

const text = (at: number, length: number) => Buffer.from(bytes.subarray(at, at + length)).toString('latin1')

function check(operations: readonly Op[], now: number): void {
  operations.forEach((one, i) => {
    const { keyAddress, keyLength, valueAddress, valueLength, operandLo, operandHi, flags, expiresAt } = batch
    expect(batch.opcode[i]).toBe(one.opcode)
    expect(text(keyAddress[i], keyLength[i])).toBe(one.key)
    expect(text(valueAddress[i], valueLength[i])).toBe(one.value ?? '')
    expect(parser.opaque[i] >>> 0).toBe(one.opaque ?? 0)
    expect(expiresAt[i]).toBe(one.ttl ? now + one.ttl : 0)
    expect((BigInt(operandHi[i] >>> 0) << 32n) | BigInt(operandLo[i] >>> 0)).toBe(one.operand ?? 0n)
    expect(flags[i] >>> 0).toBe(one.flags ?? 0)
  })
}

describe('native requests', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(fc.array(op, { maxLength: 12 }), fc.nat(0xffffffff), fc.nat(1e12), (operations, opaque, now) => {
        expect(parse(request(operations, { opaque }), now)).toBe(operations.length)
        expect(parser.status).toBe(0)
        expect(parser.packetOpaque >>> 0).toBe(opaque)
        check(operations, now)
      }),
      { numRuns: 200 },
    )
  })

  it('are written as the documentation says', () => {
    fc.assert(
      fc.property(op, fc.nat(0xffffffff), (one, opaque) => {
        const expected = request([one], { opaque })
        const fields = new OperationFields()
        const key = Buffer.from(one.key, 'latin1')
        const value = Buffer.from(one.value ?? '', 'latin1')
        const view = new DataView(expected.buffer, expected.byteOffset)
        fields.opcode = one.opcode
        fields.keyLength = key.length
        fields.valueLength = value.length
        fields.hashLo = view.getInt32(32, true)
        fields.hashHi = view.getInt32(36, true)
        fields.opaque = one.opaque ?? 0
        fields.ttl = one.ttl ?? 0
        fields.extended = one.operand !== undefined
        fields.operandLo = Number(BigInt.asIntN(32, one.operand ?? 0n))
        fields.operandHi = Number(BigInt.asIntN(32, (one.operand ?? 0n) >> 32n))
        fields.clientFlags = one.flags ?? 0
        const out = new Uint8Array(PACKET_HEADER_BYTES + requestBytes(key.length, value.length, fields.extended))
        const outView = new DataView(out.buffer)
        writeRequestHeader(outView, 0, 1, opaque, 0, 0)
        const at = writeOperation(outView, PACKET_HEADER_BYTES, fields)
        out.set(key, at)
        out.set(value, at + pad8(key.length))
        expect(Buffer.from(out).toString('hex')).toBe(Buffer.from(expected).toString('hex'))
      }),
      { numRuns: 200 },
    )
  })

  it('that are cut off anywhere keep the operations before the cut', () => {
    fc.assert(
      fc.property(fc.array(op, { minLength: 1, maxLength: 4 }), (operations) => {
        const whole = request(operations)
        for (let length = 0; length < whole.length; length++) {
          const count = parse(whole.subarray(0, length))
          if (length < PACKET_HEADER_BYTES) {
            expect(count).toBe(NOT_A_REQUEST)
            continue
          }
          expect(parser.status).toBe(STATUS_MALFORMED)
          const complete = Array.from({ length: count }, (_, i) => i).filter((i) => parser.forced[i] === 0)
          // At most the last one is answered with an error.
          expect(count - complete.length).toBeLessThanOrEqual(1)
          check(operations.slice(0, complete.length), 0)
          for (const i of complete) {
            expect(batch.valueAddress[i] + batch.valueLength[i]).toBeLessThanOrEqual(AT + length)
          }
        }
      }),
      { numRuns: 20 },
    )
  })

  it('of another version, and what is none', () => {
    expect(parse(request([{ opcode: OP_GET, key: 'a' }], { version: 2 }))).toBe(0)
    expect(parser.status).toBe(STATUS_BAD_VERSION)
    const answer = Uint8Array.from(request([]))
    answer[3] |= 1
    expect(parse(answer)).toBe(NOT_A_REQUEST)
    expect(parse(new Uint8Array(64))).toBe(NOT_A_REQUEST)
  })

  it('never read outside of the datagram, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 400 }), fc.nat(8), (noise, count) => {
        const packet = Uint8Array.from(noise)
        packet.set(request([]).subarray(0, 8))
        packet[4] = count
        const n = parse(packet)
        for (let i = 0; i < n; i++) {
          if (parser.forced[i] !== 0) continue
          expect(batch.keyAddress[i]).toBeGreaterThanOrEqual(AT + 48)
          expect(batch.keyAddress[i] + batch.keyLength[i]).toBeLessThanOrEqual(AT + packet.length)
          expect(batch.valueAddress[i] + batch.valueLength[i]).toBeLessThanOrEqual(AT + packet.length)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('golden bytes', () => {
  it('of a request', () => {
    const packet = request(
      [
        { opcode: OP_GET, key: 'abc', opaque: 0x01020304 },
        { opcode: OP_CAS, key: 'k', value: 'vv', opaque: 5, ttl: 1000, operand: 0x1122334455667788n, flags: 9 },
      ],
      { opaque: 0xaabbccdd },
    )
    expect(
      Buffer.from(packet)
        .toString('hex')
        .match(/.{1,16}/g),
    ).toEqual([
      // 'PK', version 1, no flags; two operations; opaque; cookie.
      '504b010002000000',
      'ddccbbaa00000000',
      '0000000000000000',
      // GET, 3-byte key, no value; keyhash; opaque, no time to live; key.
      '0103000000000000',
      Buffer.from(packet.subarray(32, 40)).toString('hex'),
      '0403020100000000',
      '6162630000000000',
      // CAS, 1-byte key, extended, 2-byte value; keyhash; opaque, 1000 ms; expected version; client flags; key; value.
      '0601010002000000',
      Buffer.from(packet.subarray(64, 72)).toString('hex'),
      '05000000e8030000',
      '8877665544332211',
      '0900000000000000',
      '6b00000000000000',
      '7676000000000000',
    ])
  })
})

describe('responses', () => {
  const reader = new ResponseReader()
  const packet = Buffer.from(
    '504b010102000300ddccbbaa0200010088776655443322110100000005000000' +
      '070000000000000004030201090000006868686868000000022100000000000000000000000000000600000000000000',
    'hex',
  )
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length)

  it('are read field by field', () => {
    packet[3] = 3
    expect(reader.open(view, 0, packet.length)).toBe(true)
    expect([reader.count, reader.status, reader.opaque >>> 0, reader.partitions, reader.partition]).toEqual([
      2, 3, 0xaabbccdd, 2, 1,
    ])
    expect([reader.cookieLo, reader.cookieHi]).toEqual([0x55667788, 0x11223344])
    expect(reader.next()).toBe(true)
    expect([reader.opcode, reader.result, reader.valueLength, reader.versionLo, reader.operationOpaque]).toEqual([
      1, 0, 5, 7, 0x01020304,
    ])
    expect(packet.toString('latin1', reader.valueOffset, reader.valueOffset + 5)).toBe('hhhhh')
    expect(reader.clientFlags).toBe(9)
    expect(reader.next()).toBe(true)
    expect([reader.opcode, reader.result, reader.operationOpaque, reader.valueLength]).toEqual([OP_SET, 33, 6, 0])
    expect(reader.next()).toBe(false)
    expect(reader.truncated).toBe(false)
    // The test's own reader agrees.
    expect(responses([packet])[0].operations.map((one) => one.value.toString())).toEqual(['hhhhh', ''])
  })

  it('that are cut off anywhere are seen to be', () => {
    for (let length = 0; length < packet.length; length++) {
      if (!reader.open(view, 0, length)) {
        expect(length).toBeLessThan(24)
        continue
      }
      while (reader.next()) expect(reader.valueOffset + reader.valueLength).toBeLessThanOrEqual(length)
      expect(reader.truncated).toBe(true)
    }
  })
})
