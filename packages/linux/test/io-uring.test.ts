import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPlainRegion } from '@parakernel/hal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  createEventFd,
  createIoUring,
  createQuickIoUring,
  enableIoUring,
  foreign,
  IORING_FSYNC_DATASYNC,
  IORING_OP_FSYNC,
  IORING_OP_NOP,
  IORING_OP_OPENAT,
  IORING_OP_READ_FIXED,
  IORING_OP_URING_CMD,
  IORING_OP_WRITE_FIXED,
  IORING_SETUP_CQE32,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SQE128,
  IORING_SETUP_SQPOLL,
  IOSQE_FIXED_FILE,
  IoUring,
  type IoUringRequest,
  type OwnedIoUring,
  probeIoUring,
  readEventFd,
  regionAddress,
  registerBuffers,
  registerEventFd,
  registerFiles,
  restrictIoUring,
  supportedOperations,
} from '../src/index.ts'
import { requires } from './requirements.ts'

const opened: (() => void)[] = []
beforeEach((context) => {
  requires(context)
  const io = probeIoUring()
  if (!io.available) context.skip(io.missing)
})
afterEach(() => {
  for (const close of opened.splice(0).reverse()) close()
})

function open(request: IoUringRequest, make = createIoUring): OwnedIoUring {
  const owned = make(request, 'a ring')
  opened.push(() => owned.close())
  return owned
}

function scratchFile(): number {
  const folder = mkdtempSync(join(tmpdir(), 'pk-ring-'))
  opened.push(() => rmSync(folder, { recursive: true }))
  const fd = openSync(join(folder, 'file'), 'w+')
  opened.push(() => closeSync(fd))
  return fd
}

/** Results by user data, of `count` completions. */
function collect(ring: IoUring, count: number): Map<number, number> {
  const results = new Map<number, number>()
  const deadline = Date.now() + 5000
  while (results.size < count && Date.now() < deadline) {
    for (let n = ring.ready(); n > 0; n--) {
      const at = ring.front()
      results.set(ring.cqe[at], ring.cqe[at + 2])
      ring.pop()
    }
    ring.release()
  }
  return results
}

const nop = (ring: IoUring, userData: number) => {
  const at = ring.next()
  if (at >= 0) ring.prepare(at, IORING_OP_NOP, -1, 0, 0, 0, 0, userData)
  return at >= 0
}

test('a burst is one system call, and the ring takes no more than it has entries', () => {
  const ring = new IoUring(open({ entries: 8 }, createQuickIoUring).ring)
  for (let i = 0; i < 8; i++) expect(nop(ring, i + 100)).toBe(true)
  expect(nop(ring, 1)).toBe(false)
  expect(ring.unsubmitted).toBe(8)
  expect(ring.submit()).toBe(0)
  expect(ring.unsubmitted).toBe(0)
  expect([...collect(ring, 8).keys()].sort()).toEqual([100, 101, 102, 103, 104, 105, 106, 107])
  expect(ring.enters).toBe(1)
  expect(ring.ready()).toBe(0)
})

test('rings wrap around, with entries and completions of either size', () => {
  for (const flags of [0, IORING_SETUP_SQE128, IORING_SETUP_CQE32, IORING_SETUP_SQE128 | IORING_SETUP_CQE32]) {
    const ring = new IoUring(open({ entries: 4, flags }).ring)
    expect([ring.sqeWords, ring.cqeWords]).toEqual([
      flags & IORING_SETUP_SQE128 ? 32 : 16,
      flags & IORING_SETUP_CQE32 ? 8 : 4,
    ])
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 3; i++) nop(ring, round * 3 + i)
      expect(ring.submit()).toBe(0)
      expect([...collect(ring, 3)]).toEqual([0, 1, 2].map((i) => [round * 3 + i, 0]))
    }
  }
})

test("a kernel thread takes what is prepared while it is awake, and is woken when it isn't", async () => {
  const ring = new IoUring(open({ entries: 64, flags: IORING_SETUP_SQPOLL, submissionIdle: 20 }).ring)
  nop(ring, 1)
  ring.submit()
  expect(collect(ring, 1).get(1)).toBe(0)
  const enters = ring.enters
  for (let i = 0; i < 32; i++) nop(ring, i)
  ring.submit()
  expect(collect(ring, 32).size).toBe(32)
  // It spins for 20 ms after the last entry; a pause of this thread may let it fall asleep all the same.
  expect(ring.enters - enters).toBeLessThanOrEqual(1)
  await new Promise((resolve) => setTimeout(resolve, 100))
  nop(ring, 7)
  ring.submit()
  expect(collect(ring, 1).get(7)).toBe(0)
  expect(ring.enters - enters).toBeGreaterThan(0)
})

test('registered files and buffers: written, flushed and read back', () => {
  const { ring: mapped } = open({ entries: 8 }, createQuickIoUring)
  const region = createPlainRegion(65_536)
  registerFiles(mapped.descriptor, [scratchFile()], 'a ring')
  registerBuffers(mapped.descriptor, regionAddress(region), region.byteLength, 'a ring')
  const bytes = new Uint8Array(region.buffer)
  for (let i = 0; i < 4096; i++) bytes[i] = i * 7
  const ring = new IoUring(mapped)
  const run = (opcode: number, offset: number, at: number, length: number, flags = 0) => {
    ring.prepare(
      ring.next(),
      opcode | (IOSQE_FIXED_FILE << 8),
      0,
      offset,
      regionAddress(region) + at,
      length,
      flags,
      opcode,
    )
    ring.submit()
    return collect(ring, 1).get(opcode)
  }
  // Beyond 4 GiB, so that both halves of the offset matter.
  const offset = 2 ** 32 * 3 + 4096
  expect(run(IORING_OP_WRITE_FIXED, offset, 0, 4096)).toBe(4096)
  ring.prepare(ring.next(), IORING_OP_FSYNC | (IOSQE_FIXED_FILE << 8), 0, 0, 0, 0, IORING_FSYNC_DATASYNC, 5)
  ring.submit()
  expect(collect(ring, 1).get(5)).toBe(0)
  expect(run(IORING_OP_READ_FIXED, offset, 8192, 8192)).toBe(4096)
  expect(bytes.subarray(8192, 12_288)).toEqual(bytes.subarray(0, 4096))
  // Outside of what is registered: EFAULT.
  expect(run(IORING_OP_READ_FIXED, offset, 65_536, 4096)).toBe(-14)
})

test('an eventfd is signalled by completions, unless the holder does not want it', () => {
  const { ring: mapped } = open({ entries: 8 })
  const eventFd = createEventFd()
  opened.push(() => closeSync(eventFd))
  registerEventFd(mapped.descriptor, eventFd, 'a ring')
  const ring = new IoUring(mapped)
  ring.signalled = false
  nop(ring, 1)
  ring.submit()
  expect(readEventFd(eventFd)).toBe(false)
  expect(ring.waiting).toBe(true)
  ring.signalled = true
  nop(ring, 2)
  ring.submit()
  expect(readEventFd(eventFd)).toBe(true)
  expect(collect(ring, 2).size).toBe(2)
  expect(ring.waiting).toBe(false)
})

test('a restricted ring refuses what it does not name, and nobody lifts it', () => {
  const { ring: mapped } = open({ entries: 8, flags: IORING_SETUP_R_DISABLED })
  registerFiles(mapped.descriptor, [scratchFile()], 'a ring')
  restrictIoUring(
    mapped.descriptor,
    { operations: [IORING_OP_NOP], allowedFlags: IOSQE_FIXED_FILE, requiredFlags: IOSQE_FIXED_FILE },
    'a ring',
  )
  enableIoUring(mapped.descriptor, 'a ring')
  const ring = new IoUring(mapped)
  const run = (word: number) => {
    ring.prepare(ring.next(), word, 0, 0, 0, 0, 0, 9)
    ring.submit()
    return collect(ring, 1).get(9)
  }
  expect(run(IORING_OP_NOP | (IOSQE_FIXED_FILE << 8))).toBe(0)
  expect(run(IORING_OP_NOP)).toBe(-13)
  expect(run(IORING_OP_OPENAT | (IOSQE_FIXED_FILE << 8))).toBe(-13)
  expect(() => registerFiles(mapped.descriptor, [1], 'a ring')).toThrow(expect.objectContaining({ code: 'EACCES' }))
  expect(() =>
    restrictIoUring(mapped.descriptor, { operations: [IORING_OP_OPENAT], allowedFlags: 255, requiredFlags: 0 }, 'a'),
  ).toThrow(expect.objectContaining({ code: 'EACCES' }))
})

test('the kernel tells which operations it knows', () => {
  const supported = supportedOperations(open({ entries: 1 }).ring.descriptor, 'a ring')
  expect(supported.has(IORING_OP_NOP)).toBe(true)
  expect(supported.has(250)).toBe(false)
  expect([...supported]).toContain(IORING_OP_URING_CMD)
})

test('what makes no sense is refused with its name, and leaves no descriptor behind', () => {
  expect(() => createIoUring({ entries: 0 }, 'disk queue 3')).toThrow(
    expect.objectContaining({ code: 'EINVAL', subject: 'disk queue 3' }),
  )
  expect(() => registerFiles(-1, [0], 'disk')).toThrow(expect.objectContaining({ code: 'EINVAL', subject: 'disk' }))
})

test('a submission and its completion allocate nothing', () => {
  const ring = new IoUring(open({ entries: 64 }, createQuickIoUring).ring)
  let done = 0
  const round = () => {
    for (let i = 0; i < 32; i++) nop(ring, i)
    ring.submit()
    for (let n = ring.ready(); n > 0; n--) {
      done += ring.cqe[ring.front() + 2] + 1
      ring.pop()
    }
    ring.release()
  }
  for (let i = 0; i < 3000; i++) round()
  global.gc?.()
  done = 0
  const heap = process.memoryUsage().heapUsed
  for (let i = 0; i < 10_000; i++) round()
  const grown = process.memoryUsage().heapUsed - heap
  expect(done).toBe(320_000)
  // Eight bytes a command would show as 2.5 MB.
  expect(grown).toBeLessThan(400_000)
})

test('importing and mapping needs nothing but numbers: a ring is clonable data', () => {
  const { ring } = open({ entries: 2 })
  expect(structuredClone(ring)).toEqual(ring)
  expect(foreign().view(ring.rings.address, ring.rings.length).byteLength).toBe(ring.rings.length)
})
