import { describe, expect, test } from 'vitest'
import {
  bankCount,
  FilterTable,
  filterTableBytes,
  GROUPS,
  groupSlot,
  leftOutCount,
  packAddress,
  unpackAddress,
} from '../src/steering/filter-table.ts'

const group = (n: number) => packAddress(Uint8Array.of(1, 0, 0x5e, 0x7f, n >> 8, n))
const tableOf = (queues: number) => new FilterTable(new ArrayBuffer(filterTableBytes(queues)), queues)

describe('the filter table', () => {
  test('packs addresses and unpacks them', () => {
    const bytes = Uint8Array.of(0x33, 0x33, 0xff, 0x80, 0x01, 0xfe)
    expect(packAddress(bytes)).toBe(0xfe_01_80_ff_33_33_0000n)
    expect(unpackAddress(packAddress(bytes) | 0xffffn)).toEqual(bytes)
  })

  test('has whole pages and room for each queue, aligned to 8', () => {
    for (const queues of [1, 16, 17, 64, 130]) {
      expect(filterTableBytes(queues) % 4096).toBe(0)
      expect(filterTableBytes(queues)).toBeGreaterThanOrEqual(leftOutCount(queues, queues - 1) + 8)
      expect(groupSlot(bankCount(queues) - 1, GROUPS - 1) + 8).toBe(leftOutCount(queues, 0))
      expect(leftOutCount(queues, 0) % 8).toBe(0)
    }
  })

  test('keeps what each queue asked for apart, in the same bank and in others', () => {
    const table = tableOf(40)
    const shares = [0, 1, 15, 16, 17, 39].map((queue) => table.share(queue))
    shares.forEach((share, i) => {
      expect(share.add(group(1))).toBe(true)
      expect(share.add(group(100 + i))).toBe(true)
      share.promiscuous = i % 2 === 0
      share.allGroups = i % 3 === 0
    })
    shares.forEach((share, i) => {
      expect(share.groups()).toEqual(new Set([group(1), group(100 + i)]))
      expect([share.promiscuous, share.allGroups]).toEqual([i % 2 === 0, i % 3 === 0])
    })
    shares[0].remove(group(1))
    shares[0].promiscuous = false
    expect(shares[0].groups()).toEqual(new Set([group(100)]))
    expect(shares[1].groups()).toEqual(new Set([group(1), group(101)]))
    expect(shares[2].promiscuous).toBe(true)
  })

  test('is full at the number of groups that a bank holds, and has room again when one is left', () => {
    const table = tableOf(2)
    const [a, b] = [table.share(0), table.share(1)]
    for (let i = 0; i < GROUPS; i++) expect(a.add(group(i))).toBe(true)
    expect(b.add(group(GROUPS))).toBe(false)
    // Groups that are there cost nothing.
    expect(b.add(group(3))).toBe(true)
    a.remove(group(3))
    expect(b.add(group(GROUPS))).toBe(false)
    a.remove(group(4))
    expect(b.add(group(GROUPS))).toBe(true)
    expect(b.groups()).toEqual(new Set([group(3), group(GROUPS)]))
  })

  test('adding twice and removing what is not there change nothing', () => {
    const share = tableOf(1).share(0)
    share.add(group(7))
    share.add(group(7))
    share.remove(group(8))
    share.remove(group(7))
    expect(share.groups().size).toBe(0)
  })
})
