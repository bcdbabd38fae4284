import { expect, test } from 'vitest'
import { address, RawNvmeHost } from '../support/raw-nvme-host.ts'

const READ = 0x02
const WRITE = 0x01
/** Dword 11 of the feature that turns events on, and the event request. */
const EVENT_REQUEST = { 0: 0x0c }

test('registers: capabilities, version, and RDY follows EN after its time', () => {
  const host = new RawNvmeHost({ queueEntries: 64, doorbellStride: 0, readyLatency: 5e6 })
  expect(host.read(0x00) & 0xffff).toBe(63)
  expect(host.read(0x08)).toBe(0x1_0400)
  host.enable()
  expect(host.read(0x1c)).toBe(0)
  host.clock.advance(5e6)
  expect(host.read(0x1c)).toBe(1)
  host.write(0x14, 0)
  host.clock.advance(5e6)
  expect(host.read(0x1c)).toBe(0)
})

test('admin queues that are misaligned or nowhere are fatal', () => {
  for (const [asq, acq] of [
    [0x1008, 0x2000],
    [0x1000, 0],
  ]) {
    const host = new RawNvmeHost()
    host.enable(asq, acq)
    expect(host.read(0x1c) & 2).toBe(2)
  }
  const host = new RawNvmeHost()
  host.write(0x14, 0x46_0001 | (1 << 7))
  expect(host.read(0x1c) & 2).toBe(2)
})

test('an admin queue that the bus does not reach is fatal when its doorbell is rung', () => {
  const host = new RawNvmeHost()
  host.enable(0x7000_0000, 0x7100_0000)
  expect(host.read(0x1c)).toBe(1)
  host.write(0x1000, 1)
  expect(host.read(0x1c) & 2).toBe(2)
  expect(host.controller.health.counters.dmaFaults).toBe(1)
})

test('doorbells of no queue, beyond the ring, or of a head that overtakes: counted, and reported as error events', () => {
  const host = new RawNvmeHost().start()
  host.submit(0, EVENT_REQUEST)
  expect(host.reap(0)).toBeUndefined()
  host.write(0x1000 + 5 * 8, 1)
  expect(host.reap(0)).toMatchObject({ status: 0, value: 0x01_00_00 })
  // One type at a time, until its log page was read.
  host.submit(0, EVENT_REQUEST)
  host.write(0x1008, 16)
  expect(host.reap(0)).toBeUndefined()
  host.submit(0, { 0: 0x02, 1: -1, ...address(host.page(0)), 10: (15 << 16) | 1 })
  const [log, event] = [host.reap(0), host.reap(0)].sort((a, b) => (b?.identifier ?? 0) - (a?.identifier ?? 0))
  expect(log).toMatchObject({ status: 0 })
  expect(event).toMatchObject({ status: 0, value: 0x01_01_00 })
  host.write(0x100c, 3)
  const { doorbellsInvalidQueue, doorbellsOutOfRange } = host.controller.health.counters
  expect({ doorbellsInvalidQueue, doorbellsOutOfRange }).toEqual({ doorbellsInvalidQueue: 1, doorbellsOutOfRange: 2 })
})

test('data pointers: offsets where none may be, and memory that is not mapped', () => {
  const host = new RawNvmeHost({ sgl: false }).start()
  const blocks = (count: number) => ({ 0: READ, 1: 1, 12: count - 1 })
  const cases: readonly (readonly [Record<number, number>, number])[] = [
    [{ ...blocks(1), ...address(host.page(0, 2)) }, 0x013],
    [{ ...blocks(2), ...address(host.page(0), host.page(1, 8)) }, 0x013],
    [{ ...blocks(3), ...address(host.page(0), host.page(1, 4)) }, 0x013],
    [{ ...blocks(1), ...address(0x1000) }, 0x004],
    [{ ...blocks(2), ...address(host.page(0), 0x5000) }, 0x004],
    [{ ...blocks(1), 0: READ | (1 << 14), ...address(host.page(0)) }, 0x002],
    [{ ...blocks(1), 0: READ | (1 << 8), ...address(host.page(0)) }, 0x002],
  ]
  for (const [words, status] of cases) expect(host.io(words).status).toBe(status)
  expect(host.controller.health.counters).toMatchObject({ misalignedPointers: 3, dmaFaults: 2 })
})

test('lists of pages are followed from page to page', () => {
  const host = new RawNvmeHost({ mdts: 0, namespaces: [{ blocks: 4096, blockSize: 512 }] }).start()
  // Two data pages through a list whose first entry is the last of its page: it points on.
  const list = host.page(3, 4096 - 8)
  const at = (page: number, offset: number) => (host.data.byteOffset + page * 4096 + offset) >>> 2
  const entry = (index: number, value: number) => {
    host.words[index] = value | 0
    host.words[index + 1] = Math.floor(value / 0x1_0000_0000)
  }
  entry(at(3, 4096 - 8), host.page(4))
  entry(at(4, 0), host.page(1))
  entry(at(4, 8), host.page(2))
  for (let i = 0; i < 3 * 4096; i++) host.bytes[host.data.byteOffset + i] = (i >> 4) & 0xff
  host.expectDone(host.io({ 0: WRITE, 1: 1, 12: 23, ...address(host.page(0), list) }))
  const media = host.controller.namespaces.get(1)?.media as Uint8Array
  for (let i = 0; i < 3 * 4096; i += 511) expect(media[i]).toBe((i >> 4) & 0xff)
})

test('blocks out of range, transfers that are too long, namespaces and opcodes that are not there', () => {
  const host = new RawNvmeHost({ mdts: 1, namespaces: [{ blocks: 64 }, { blocks: 8, readOnly: true }] }).start()
  const pointer = address(host.page(0), host.page(1))
  expect(host.io({ 0: READ, 1: 1, 10: 63, 12: 1, ...pointer })).toMatchObject({ status: 0x080, doNotRetry: true })
  expect(host.io({ 0: READ, 1: 1, 11: 1, ...pointer }).status).toBe(0x080)
  expect(host.io({ 0: READ, 1: 1, 12: 2, ...pointer }).status).toBe(0x002)
  expect(host.io({ 0: READ, 1: 3, ...pointer }).status).toBe(0x00b)
  expect(host.io({ 0: READ, 1: 0, ...pointer }).status).toBe(0x00b)
  expect(host.io({ 0: 0x77, 1: 1 })).toMatchObject({ status: 0x001, doNotRetry: true })
  expect(host.io({ 0: WRITE, 1: 2, ...pointer }).status).toBe(0x182)
})

test('an identifier that is outstanding is a conflict', () => {
  const host = new RawNvmeHost({ latency: 1e6 }).start()
  const read = { 0: READ, 1: 1, ...address(host.page(0)) }
  host.submit(1, read, 7)
  host.submit(1, read, 7)
  expect(host.reap(1)).toMatchObject({ status: 0x003, identifier: 7 })
  expect(host.controller.health.counters.identifierConflicts).toBe(1)
})

test('a completion queue that is full makes its controller wait', () => {
  const host = new RawNvmeHost().start()
  const flush = { 0: 0, 1: 1 }
  for (let i = 0; i < 10; i++) host.submit(1, flush)
  for (let i = 0; i < 10; i++) host.submit(1, flush)
  expect(host.controller.health.counters.completionsDelayed).toBeGreaterThan(0)
  const found = new Set<number>()
  for (let answer = host.reap(1); answer !== undefined; answer = host.reap(1)) found.add(answer.identifier)
  expect(found.size).toBe(20)
})

test('queues: what can be created and deleted, and what not', () => {
  const host = new RawNvmeHost({ queues: 2, queueEntries: 32, vectors: 3 }).start()
  const ring = address(host.page(0))
  const create = (words: Record<number, number>) => host.admin({ 0: 0x05, ...ring, ...words }).status
  expect(create({ 10: (7 << 16) | 1, 11: 1 })).toBe(0x101)
  expect(create({ 10: (7 << 16) | 3, 11: 1 })).toBe(0x101)
  expect(create({ 10: (32 << 16) | 2, 11: 1 })).toBe(0x102)
  expect(create({ 10: (7 << 16) | 2, 11: 0 })).toBe(0x002)
  expect(create({ 10: (7 << 16) | 2, 11: (3 << 16) | 3 })).toBe(0x108)
  expect(create({ 10: (7 << 16) | 2, 11: 1, ...address(host.page(0, 8)) })).toBe(0x013)
  expect(host.admin({ 0: 0x04, 10: 1 }).status).toBe(0x10c)
  expect(host.admin({ 0: 0x00, 10: 1 }).status).toBe(0)
  expect(host.admin({ 0: 0x04, 10: 1 }).status).toBe(0)
  expect(host.admin({ 0: 0x09, 10: 0x07, 11: 0xffff }).status).toBe(0x002)
})

test('gone: every register reads as ones, and nothing is written any more', () => {
  const host = new RawNvmeHost({ latency: 1e6 }).start()
  host.submit(1, { 0: READ, 1: 1, ...address(host.page(0)) })
  host.controller.remove()
  host.clock.advance(2e6)
  host.controller.run()
  expect(host.reap(1)).toBeUndefined()
  for (const offset of [0x00, 0x08, 0x14, 0x1c]) expect(host.read(offset)).toBe(0xffff_ffff)
  host.controller.insert()
  expect(host.read(0x1c)).toBe(0)
})

test('power cuts: what was flushed is there, the rest in whole atomic units or not', () => {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 200; seed++) {
    const host = new RawNvmeHost({ atomicUnit: 2, seed, namespaces: [{ blocks: 16 }] }).start()
    const media = host.controller.namespaces.get(1)?.media as Uint8Array
    const write = (lba: number, blocks: number, value: number) => {
      host.bytes.fill(value, host.data.byteOffset, host.data.byteOffset + blocks * 4096)
      const second = blocks > 2 ? host.page(8) : host.page(1)
      if (blocks > 2) {
        for (let i = 1; i < blocks; i++)
          host.words[((host.data.byteOffset + 8 * 4096) >>> 2) + 2 * (i - 1)] = host.page(i) | 0
        for (let i = 1; i < blocks; i++) {
          host.words[((host.data.byteOffset + 8 * 4096) >>> 2) + 2 * (i - 1) + 1] = Math.floor(
            host.page(i) / 0x1_0000_0000,
          )
        }
      }
      host.expectDone(host.io({ 0: WRITE, 1: 1, 10: lba, 12: blocks - 1, ...address(host.page(0), second) }))
    }
    write(0, 1, 0x11)
    host.expectDone(host.io({ 0: 0x00, 1: 1 }))
    write(4, 2, 0x22)
    write(8, 3, 0x33)
    let state = seed
    host.controller.powerCut(() => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
      return state / 0x8000_0000
    })
    const block = (lba: number) => media[lba * 4096] as number
    expect(block(0)).toBe(0x11)
    expect(block(4)).toBe(block(5))
    seen.add([4, 8, 9, 10].map((lba) => (block(lba) === 0 ? '.' : 'x')).join(''))
  }
  // Every subset: the pair of two whole, the three one by one.
  expect(seen.size).toBe(16)
})
