import { describe, expect, test } from 'vitest'
import {
  ALL_COLUMNS,
  BlockBurst,
  BlockCompletions,
  COLUMN_CHECKSUM,
  COLUMN_HASH,
  COLUMN_SEGMENT,
  COLUMN_TIMESTAMP,
  COLUMN_VLAN,
  END_OF_PACKET,
  NetBurst,
  packetEntries,
} from '../src/index.ts'

describe('a burst', () => {
  test('has the columns that were asked for, and costs nothing for the others', () => {
    const lengths = (columns: number) => {
      const burst = new NetBurst(16, columns)
      return [burst.checksumStart, burst.segmentSize, burst.hash, burst.vlan, burst.timestamp].map((c) => c.length)
    }
    expect(lengths(0)).toEqual([0, 0, 0, 0, 0])
    expect(lengths(COLUMN_CHECKSUM)).toEqual([16, 0, 0, 0, 0])
    expect(lengths(COLUMN_SEGMENT)).toEqual([0, 16, 0, 0, 0])
    expect(lengths(COLUMN_HASH)).toEqual([0, 0, 16, 0, 0])
    expect(lengths(COLUMN_VLAN)).toEqual([0, 0, 0, 16, 0])
    expect(lengths(COLUMN_TIMESTAMP)).toEqual([0, 0, 0, 0, 16])
    expect(lengths(ALL_COLUMNS)).toEqual([16, 16, 16, 16, 16])
  })

  test('takes whole packets by push', () => {
    const burst = new NetBurst(2)
    burst.push(5, 262, 60)
    burst.push(6, 300, 61)
    expect(burst.count).toBe(2)
    expect([[...burst.frame], [...burst.offset], [...burst.length], [...burst.flags]]).toEqual([
      [5, 6],
      [262, 300],
      [60, 61],
      [END_OF_PACKET, END_OF_PACKET],
    ])
  })

  test('copies the columns that both sides have', () => {
    const source = new NetBurst(1, ALL_COLUMNS)
    source.push(1, 2, 3)
    for (const column of ['checksumStart', 'checksumOffset', 'segmentSize', 'headerLength', 'hash', 'vlan'] as const) {
      source[column][0] = column.length
    }
    source.timestamp[0] = 1e15 + 1
    const all = new NetBurst(2, ALL_COLUMNS)
    all.copyEntry(1, source, 0)
    expect([all.frame[1], all.offset[1], all.length[1], all.flags[1]]).toEqual([1, 2, 3, END_OF_PACKET])
    expect([all.checksumStart[1], all.checksumOffset[1], all.segmentSize[1], all.headerLength[1]]).toEqual([
      13, 14, 11, 12,
    ])
    expect([all.hash[1], all.vlan[1], all.timestamp[1]]).toEqual([4, 4, 1e15 + 1])
    const some = new NetBurst(2, COLUMN_VLAN)
    some.copyEntry(0, source, 0)
    expect([some.frame[0], some.vlan[0], some.hash.length]).toEqual([1, 4, 0])
    const back = new NetBurst(1, COLUMN_HASH)
    back.copyEntry(0, some, 0)
    expect(back.hash[0]).toBe(0)
  })

  test('knows where a packet ends', () => {
    const burst = new NetBurst(6)
    for (let i = 0; i < 6; i++) burst.push(i, 0, 1)
    burst.flags[1] = 0
    burst.flags[2] = 0
    burst.flags[5] = 0
    expect([packetEntries(burst, 0), packetEntries(burst, 1), packetEntries(burst, 4)]).toEqual([1, 3, 1])
    // An unfinished packet reaches to the end.
    expect(packetEntries(burst, 5)).toBe(1)
    burst.flags[4] = 0
    expect(packetEntries(burst, 4)).toBe(2)
  })
})

test('block bursts have columns for commands and for segments', () => {
  const burst = new BlockBurst(4, 16)
  expect([burst.opcode.length, burst.lba.length, burst.frame.length]).toEqual([4, 4, 16])
  burst.lba[0] = 2 ** 53 - 1
  expect(burst.lba[0]).toBe(Number.MAX_SAFE_INTEGER)
  expect(new BlockBurst(4).frame.length).toBe(4)
  expect(new BlockCompletions(8).result.length).toBe(8)
})
