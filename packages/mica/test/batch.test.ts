import { createPlainRegion } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import {
  MicaPartition,
  OP_ADD,
  OP_APPEND,
  OP_DELETE,
  OP_GET,
  OP_GET_AND_TOUCH,
  OP_INCREMENT,
  OP_NOOP,
  OP_SET,
  OP_TEST,
  OP_TOUCH,
  RESULT_BAD_KEY,
  RESULT_EXISTS,
  RESULT_NO_ROOM,
  RESULT_NOT_A_COUNTER,
  RESULT_NOT_FOUND,
  RESULT_OK,
  RESULT_UNKNOWN_OPCODE,
  RESULT_VALUE_TOO_LARGE,
  RequestBatch,
} from '../src/index.ts'
import { Harness, KERNELS, keyOf, type Operation, pattern } from './support/harness.ts'
import { checkIntegrity } from './support/integrity.ts'

const get = (n: number): Operation => ({ opcode: OP_GET, key: keyOf(n) })
const set = (n: number, length = 8): Operation => ({ opcode: OP_SET, key: keyOf(n), value: pattern(length, n) })

describe('RequestBatch', () => {
  it('refuses a place that it does not fit in', () => {
    const { memory } = createPlainRegion(1 << 16)
    expect(() => new RequestBatch(memory, 32, 16)).toThrow(/EINVAL/)
    expect(() => new RequestBatch(memory, 65_536 - 64, 16)).toThrow(/EINVAL/)
    expect(() => new RequestBatch(memory, 0, 0)).toThrow(/EINVAL/)
    expect(() => new RequestBatch(memory, 0, 1e6)).toThrow(/EINVAL/)
  })

  it('takes as many requests as its capacity', () => {
    const { memory } = createPlainRegion(1 << 16)
    const batch = new RequestBatch(memory, 0, 20)
    expect(batch.capacity).toBe(32)
    for (let i = 0; i < 32; i++) expect(batch.add(OP_NOOP, 0, 0, 0, 0)).toBe(i)
    expect(batch.add(OP_NOOP, 0, 0, 0, 0)).toBe(-1)
    expect(RequestBatch.byteLength(20) % 64).toBe(0)
  })
})

describe.each(KERNELS)('a batch, %s kernel', (kernel) => {
  const create = () => new Harness(kernel, 1 << 18, { dataBytes: 65_536, maxValueBytes: 4096 })

  it('runs in order, whatever prepare saw', () => {
    const harness = create()
    harness.one(set(1))
    const value = (length: number, seed: number) => ({ opcode: OP_SET, key: keyOf(1), value: pattern(length, seed) })
    const responses = harness.run([
      get(1),
      value(100, 7), // does not fit in place: the hint of all requests behind is outdated
      get(1),
      { opcode: OP_DELETE, key: keyOf(1) },
      get(1),
      { opcode: OP_ADD, key: keyOf(1), value: pattern(3, 9) },
      get(1),
      set(2),
      get(2), // was not there when prepare looked
    ])
    expect(responses.map((r) => r.result)).toEqual([0, 0, 0, 0, RESULT_NOT_FOUND, 0, 0, 0, 0])
    expect(responses[0].value).toEqual(pattern(8, 1))
    expect(responses[2].value).toEqual(pattern(100, 7))
    expect(responses[6].value).toEqual(pattern(3, 9))
    expect(responses[8].value).toEqual(pattern(8, 2))
  })

  it('lays responses out with a gap before each value and padding behind it', () => {
    const harness = create()
    harness.run([set(1, 5), set(2, 8), set(3, 0)])
    const { batch, bytes, memory } = harness
    const out = memory.buffer.byteLength - 4096
    harness.fill([get(1), get(9), get(2), get(3), get(1)])
    harness.partition.prepare(batch, 0)
    bytes.fill(0xee, out, out + 512)
    expect(harness.partition.execute(batch, 0, 5, out, out + 512, 24)).toBe(5)
    const at = [...batch.responseAddress.subarray(0, 5)].map((address) => address - out)
    expect(at).toEqual([24, 56, 80, 112, 136])
    expect(batch.outEnd - out).toBe(144)
    expect([...batch.responseLength.subarray(0, 5)]).toEqual([5, 0, 8, 0, 5])
    // The codec's gaps are untouched, the padding is zero: no old bytes of the frame leave the machine.
    expect([...bytes.subarray(out, out + 24)]).toEqual(new Array(24).fill(0xee))
    expect([...bytes.subarray(out + 24, out + 32)]).toEqual([...pattern(5, 1), 0, 0, 0])
    expect(bytes[out + 144]).toBe(0xee)
  })

  it('says so when a value does not fit, and keeps room for the headers of the others', () => {
    const harness = create()
    harness.run([set(1, 100), set(2, 8)])
    const { batch, memory, bytes } = harness
    const out = memory.buffer.byteLength - 4096
    harness.fill([get(2), get(1), get(1), get(2)])
    harness.partition.prepare(batch, 0)
    expect(harness.partition.execute(batch, 0, 4, out, out + 8 + 4 * 16 + 104 + 7, 16)).toBe(4)
    expect([...batch.result.subarray(0, 4)]).toEqual([RESULT_OK, RESULT_OK, RESULT_NO_ROOM, RESULT_NO_ROOM])
    expect(batch.responseLength[2]).toBe(100)
    const stored = batch.storedAddress[2]
    expect(bytes.slice(stored, stored + 100)).toEqual(pattern(100, 1))
    expect(batch.outEnd).toBe(out + 8 + 4 * 16 + 104)
    expect(harness.partition.statistics()).toMatchObject({ hits: 2, noRoom: 2 })
  })

  it('stops when full if asked to, and goes on where it stopped', () => {
    const harness = create()
    const counter: Operation = { opcode: OP_INCREMENT, key: keyOf(2), operand: 1n }
    harness.run([set(1, 100), { opcode: OP_SET, key: keyOf(2), value: new Uint8Array(8) }, set(3, 300)])
    const { batch, memory } = harness
    const out = memory.buffer.byteLength - 4096
    batch.stopWhenFull = true
    harness.fill([get(1), counter, counter, get(1), set(4), get(3), get(4), get(1)])
    harness.partition.prepare(batch, 0)
    const stops: number[] = []
    for (let from = 0; from < 8; ) {
      from = harness.partition.execute(batch, from, 8, out, out + 160, 16)
      stops.push(from)
      expect(batch.outEnd).toBeLessThanOrEqual(out + 160)
    }
    // 120 + 24 bytes, 24 + 120 + 16, 16 + 24 + 120: the 300 fit nowhere, not even alone.
    expect(stops).toEqual([2, 5, 8])
    expect([...batch.result.subarray(0, 8)]).toEqual([0, 0, 0, 0, 0, RESULT_NO_ROOM, 0, 0])
    batch.stopWhenFull = false
    const value = harness.one(get(2)).value
    expect(new DataView(value.buffer).getBigUint64(0, true)).toBe(2n)
    expect(harness.partition.statistics()).toMatchObject({ hits: 5, noRoom: 1 })
  })

  it('refuses bad keys, large values, unknown opcodes and what is no counter, each with its code and counter', () => {
    const harness = create()
    harness.one(set(1, 7))
    const responses = harness.run([
      { opcode: OP_GET, key: new Uint8Array(0) },
      { opcode: OP_SET, key: new Uint8Array(256) },
      { opcode: OP_SET, key: keyOf(2), value: new Uint8Array(4097) },
      { opcode: 14, key: keyOf(1) },
      { opcode: -1, key: keyOf(1) },
      { opcode: OP_INCREMENT, key: keyOf(1), operand: 1n },
      { opcode: OP_ADD, key: keyOf(1), value: new Uint8Array(1) },
      { opcode: OP_APPEND, key: keyOf(1), value: new Uint8Array(4090) },
      get(1),
    ])
    expect(responses.map((r) => r.result)).toEqual([
      RESULT_BAD_KEY,
      RESULT_BAD_KEY,
      RESULT_VALUE_TOO_LARGE,
      RESULT_UNKNOWN_OPCODE,
      RESULT_UNKNOWN_OPCODE,
      RESULT_NOT_A_COUNTER,
      RESULT_EXISTS,
      RESULT_VALUE_TOO_LARGE,
      RESULT_OK,
    ])
    expect(responses[8].value).toEqual(pattern(7, 1))
    expect(harness.partition.statistics()).toMatchObject({
      requests: 10,
      badKey: 2,
      valueTooLarge: 2,
      unknownOpcode: 2,
      notACounter: 1,
      exists: 1,
      items: 1,
    })
  })

  it('tells keys with the same hash apart', () => {
    const harness = create()
    const keys = [pattern(8, 1), pattern(8, 2), pattern(9, 3), new Uint8Array(7)]
    const { batch, partition, memory } = harness
    const out = memory.buffer.byteLength - 4096
    for (const opcode of [OP_SET, OP_GET]) {
      harness.fill(keys.map((key, i) => ({ opcode, key, value: pattern(8, 50 + i) })))
      batch.hashLo.fill(77)
      batch.hashHi.fill(77)
      partition.prepare(batch, 0)
      partition.execute(batch, 0, keys.length, out, out + 1024, 8)
      for (let i = 0; i < keys.length; i++) {
        expect(batch.result[i]).toBe(RESULT_OK)
        if (opcode === OP_GET) expect(harness.response(i).value).toEqual(pattern(8, 50 + i))
      }
    }
    expect(partition.statistics()).toMatchObject({ inserts: 4, hits: 4 })
  })

  it('expires lazily and by sweep, and touches', () => {
    const harness = create()
    for (let n = 0; n < 20; n++) harness.one({ ...set(n), expiresAt: 100 + n, flags: 5 }, 1)
    expect(harness.one(get(0), 99)).toMatchObject({ result: RESULT_OK, expiresAt: 100, flags: 5 })
    expect(harness.one(get(0), 100).result).toBe(RESULT_NOT_FOUND)
    expect(harness.one({ opcode: OP_TOUCH, key: keyOf(19), expiresAt: 0 }, 100).result).toBe(RESULT_OK)
    expect(harness.one({ opcode: OP_GET_AND_TOUCH, key: keyOf(18), expiresAt: 500 }, 100).value).toEqual(pattern(8, 18))
    harness.one(set(50), 100)
    expect(harness.one({ opcode: OP_TOUCH, key: keyOf(50), expiresAt: 300 }, 100).result).toBe(RESULT_OK)
    expect(harness.one({ opcode: OP_TEST, key: keyOf(50) }, 100)).toMatchObject({ length: 8, expiresAt: 300, flags: 0 })
    expect(harness.partition.expire(150, 1e9)).toBe(17)
    expect(checkIntegrity(harness.memory, harness.partition)).toBe(3)
    expect(harness.partition.expire(400, 1e9)).toBe(1)
    expect(harness.partition.statistics()).toMatchObject({ expired: 19, items: 2 })
    harness.partition.clear()
    expect(checkIntegrity(harness.memory, harness.partition)).toBe(0)
    expect(harness.one(get(18), 100).result).toBe(RESULT_NOT_FOUND)
  })

  it.each(['cache', 'store'] as const)('%s mode: takes the largest keys and values', (mode) => {
    const harness = new Harness(kernel, 14 << 20, { mode, dataBytes: 8 << 20, buckets: 16 }, 3 << 20)
    const longKey = pattern(255, 3)
    const cases: [Uint8Array, number][] = [
      [longKey, 1 << 20],
      [new Uint8Array(1), 0],
      [longKey.slice(0, 254), (1 << 20) - 1],
      [keyOf(1), 255],
      [keyOf(2), 256],
      [keyOf(3), 257],
    ]
    for (const skew of [0, 1, 2, 6]) {
      harness.skew = skew
      for (const [key, length] of cases) {
        expect(harness.set(key, pattern(length, length + skew))).toBe(RESULT_OK)
        const response = harness.one({ opcode: OP_GET, key })
        expect(Buffer.compare(response.value, pattern(length, length + skew))).toBe(0)
      }
    }
    const tooLarge = { opcode: OP_SET, key: longKey, value: new Uint8Array((1 << 20) + 1) }
    expect(harness.one(tooLarge).result).toBe(RESULT_VALUE_TOO_LARGE)
    checkIntegrity(harness.memory, harness.partition)
  })

  it('has its counters live in the shared memory', () => {
    const harness = create()
    const elsewhere = new Float64Array(harness.memory.buffer, harness.partition.byteOffset + 256, 32)
    harness.run([set(1), get(1), get(2)])
    expect([...elsewhere.subarray(0, 3)]).toEqual([3, 1, 1])
    expect(new MicaPartition({ memory: createPlainRegion(1 << 20).memory, kernel }).kernel).toBe(kernel)
  })
})
