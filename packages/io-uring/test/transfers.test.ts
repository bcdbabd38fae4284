import { closeSync, ftruncateSync, openSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_FUA,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
} from '@parakernel/hal'
import { createLoopDevice } from '@parakernel/linux'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { IoUringOptions } from '../src/index.ts'
import { BLOCK, type Command, type QueueUser, Rig, requireIoUring } from './rig.ts'

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

const good = (result = 0) => ({ cookie: 1, status: 0, result })
const write = (lba: number, segments: Command['segments'], flags = 0): Command => ({
  opcode: BLOCK_WRITE,
  lba,
  blocks: segments?.reduce((sum, [, , length]) => sum + length, 0) ?? 0,
  flags,
  segments: segments ?? [],
})
const inBlocks = (command: Command): Command => ({ ...command, blocks: (command.blocks ?? 0) / BLOCK })

const MODES: readonly (readonly [string, 'disk' | 'memory', Partial<IoUringOptions>])[] = [
  ['a file on a disk', 'disk', {}],
  ['a file in memory', 'memory', {}],
  ['through the page cache', 'disk', { direct: 'never' }],
  ['without registered buffers', 'disk', { registeredBuffers: false }],
  ['with a submission thread', 'disk', { submissionThread: true }],
]

describe.each(MODES)('%s', (_name, place, options) => {
  const openOne = async (): Promise<QueueUser> => {
    const device = await rig.open({ path: join(rig.folder(place), 'image'), ...options })
    return rig.attach(device)
  }

  test('what is written is read back, and is in the file', async () => {
    const path = join(rig.folder(place), 'image')
    const user = rig.attach(await rig.open({ path, ...options }))
    const source = user.frame(0x5a)
    const target = user.frame(0)
    expect(user.run(inBlocks(write(7, [[source, 0, 8192]], BLOCK_FUA)))).toEqual(good(8192))
    expect(user.run({ opcode: BLOCK_FLUSH })).toEqual(good())
    expect(user.run({ opcode: BLOCK_READ, lba: 8, blocks: 1, segments: [[target, 4096, 4096]] })).toEqual(good(4096))
    expect(user.bytes(target, 4096, 4096)).toEqual(new Uint8Array(4096).fill(0x5a))
    expect(user.bytes(target, 0, 4096)).toEqual(new Uint8Array(4096))
    expect(readFileSync(path).subarray(7 * BLOCK, 9 * BLOCK)).toEqual(Buffer.alloc(2 * BLOCK, 0x5a))
  })

  test('segments are gathered and scattered in their order, neighbours and strangers', async () => {
    const user = await openOne()
    const frames = [1, 2, 3, 4].map((value) => user.frame(value))
    const [a, b, c, d] = frames
    const segments = [
      [d, 512, 512],
      [a, 0, 4096],
      [a, 4096, 1024],
      [c, 0, 512],
      [b, 1024, 2048],
    ] as const
    expect(user.run(inBlocks(write(0, segments)))).toEqual(good(8192))
    const whole = user.frame(0)
    expect(user.run({ opcode: BLOCK_READ, lba: 0, blocks: 2, segments: [[whole, 0, 8192]] })).toEqual(good(8192))
    const wanted = Uint8Array.from(segments.flatMap(([f, , n]) => new Array(n).fill(frames.indexOf(f) + 1)))
    expect(user.bytes(whole, 0, 8192)).toEqual(wanted)
    const parts = [user.frame(0), user.frame(0)]
    expect(
      user.run({
        opcode: BLOCK_READ,
        lba: 0,
        blocks: 2,
        segments: [
          [parts[0], 4096, 1536],
          [parts[1], 0, 6656],
        ],
      }),
    ).toEqual(good(8192))
    expect(user.bytes(parts[0], 4096, 1536)).toEqual(wanted.slice(0, 1536))
    expect(user.bytes(parts[1], 0, 6656)).toEqual(wanted.slice(1536))
  })

  test('zeroes and deallocations, durable where it is asked for', async () => {
    const user = await openOne()
    const source = user.frame(9)
    for (let lba = 0; lba < 16; lba += 2) user.run(inBlocks(write(lba, [[source, 0, 8192]])))
    expect(user.run({ opcode: BLOCK_WRITE_ZEROES, lba: 2, blocks: 5, flags: BLOCK_FUA })).toEqual(good())
    expect(user.run({ opcode: BLOCK_DEALLOCATE, lba: 10, blocks: 2, flags: BLOCK_FUA })).toEqual(good())
    const whole = user.frame(1)
    const values: number[] = []
    for (let lba = 0; lba < 16; lba++) {
      user.run({ opcode: BLOCK_READ, lba, blocks: 1, segments: [[whole, 0, 4096]] })
      const bytes = user.bytes(whole, 0, 4096)
      values.push(bytes.every((byte) => byte === bytes[0]) ? bytes[0] : -1)
    }
    expect(values).toEqual([9, 9, 0, 0, 0, 0, 0, 9, 9, 9, 0, 0, 9, 9, 9, 9])
  })

  test('any commands, in bursts: the file is what a model says', { timeout: 60_000 }, async () => {
    const path = join(rig.folder(place), 'image')
    const user = rig.attach(await rig.open({ path, size: 64 * BLOCK, ...options }))
    const model = Buffer.alloc(64 * BLOCK)
    const frames = Array.from({ length: 16 }, () => user.frame(0))
    const command = fc.record({
      kind: fc.constantFrom('write', 'write', 'read', 'zero', 'drop', 'flush'),
      at: fc.nat({ max: 60 }),
      blocks: fc.integer({ min: 1, max: 4 }),
      value: fc.integer({ min: 1, max: 255 }),
      cut: fc.integer({ min: 1, max: 7 }),
      fua: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 12 }), async (commands) => {
        for (const { kind, at, blocks, value, cut, fua } of commands) {
          // Two segments of two frames each, cut at a sector.
          const bytes = blocks * BLOCK
          const first = Math.min(cut * 512, 8192)
          const segments: (readonly [number, number, number])[] = []
          for (let left = bytes, i = 0; left > 0; i++) {
            const length = Math.min(left, i === 0 ? first : 8192)
            segments.push([frames[i], 0, length])
            left -= length
          }
          const flags = fua && kind !== 'read' && kind !== 'flush' ? BLOCK_FUA : 0
          if (kind === 'write') {
            for (const [frame, , length] of segments) {
              const start = user.pool.address(frame)
              user.pool.bytes.fill(value, start, start + length)
            }
            expect(user.run({ opcode: BLOCK_WRITE, lba: at, blocks, flags, segments })).toEqual(good(bytes))
            model.fill(value, at * BLOCK, at * BLOCK + bytes)
          } else if (kind === 'read') {
            expect(user.run({ opcode: BLOCK_READ, lba: at, blocks, segments })).toEqual(good(bytes))
            const read = Buffer.concat(segments.map(([frame, , length]) => user.bytes(frame, 0, length)))
            expect(read.equals(model.subarray(at * BLOCK, at * BLOCK + bytes))).toBe(true)
          } else if (kind === 'flush') {
            expect(user.run({ opcode: BLOCK_FLUSH })).toEqual(good())
          } else {
            const opcode = kind === 'zero' ? BLOCK_WRITE_ZEROES : BLOCK_DEALLOCATE
            expect(user.run({ opcode, lba: at, blocks, flags })).toEqual(good())
            model.fill(0, at * BLOCK, at * BLOCK + bytes)
          }
        }
        expect(readFileSync(path).equals(model)).toBe(true)
      }),
      { numRuns: 25 },
    )
    expect(user.queue.counters.snapshot()).toMatchObject({ failed: 0, refusedInvalid: 0, refusedLease: 0 })
  })
})

test('a burst is one system call, and its completions need at most one more a visit', async () => {
  const user = rig.attach(await rig.open({ path: join(rig.folder('memory'), 'image') }))
  const frames = Array.from({ length: 32 }, (_, i) => user.frame(i + 1))
  const burst = frames.map((frame, i) => ({ ...inBlocks(write(i * 2, [[frame, 0, 8192]])), cookie: 100 + i }))
  expect(user.offer(burst)).toBe(32)
  expect(user.queue.counters.get('wakeUps')).toBe(1)
  expect(
    user
      .collect(32)
      .map(({ cookie }) => cookie)
      .sort(),
  ).toEqual(frames.map((_, i) => 100 + i))
})

test('a full queue takes what fits, and the rest later', async () => {
  const user = rig.attach(await rig.open({ queueDepth: 8 }))
  const frames = Array.from({ length: 20 }, () => user.frame(3))
  const commands = frames.map((frame, i) => ({ ...inBlocks(write(i * 2, [[frame, 0, 8192]])), cookie: i }))
  expect(user.offer(commands)).toBe(8)
  expect(user.queue.counters.get('queueFull')).toBe(1)
  expect(user.queue.submit(user.burst, 8)).toBe(0)
  expect(user.collect(8)).toHaveLength(8)
  expect(user.queue.submit(user.burst, 8)).toBe(8)
  expect(user.collect(8)).toHaveLength(8)
  expect(user.queue.submit(user.burst, 16)).toBe(4)
  expect(user.collect(4)).toHaveLength(4)
})

test('commands outside of the lease are refused before they reach the device, and the others of the burst run', async () => {
  const path = join(rig.folder(), 'image')
  const device = await rig.open({ path })
  const user = rig.attach(device, { range: { namespace: 1, firstLba: 10, blocks: 10 } })
  const frame = user.frame(7)
  const at = (lba: number) => inBlocks(write(lba, [[frame, 0, 8192]]))
  expect(user.offer([at(8), at(9), at(10), at(18), at(19), at(20)])).toBe(6)
  expect(user.burst.refused).toBe(4)
  expect(user.collect(2)).toEqual([good(8192), good(8192)])
  expect(user.queue.counters.snapshot()).toMatchObject({ submitted: 2, refusedLease: 4 })
  const bytes = readFileSync(path)
  expect([...new Set(bytes.subarray(0, 10 * BLOCK))]).toEqual([0])
  expect([...new Set(bytes.subarray(20 * BLOCK))]).toEqual([0])
})

test('misaligned and malformed commands are refused; compare is not offered', async () => {
  const user = rig.attach(await rig.open())
  const frame = user.frame(7)
  const read = (segments: Command['segments'], blocks = 1): Command => ({
    opcode: BLOCK_READ,
    blocks,
    segments: segments ?? [],
  })
  expect(user.run(read([[frame, 100, 4096]]))).toBe('refused')
  expect(user.run(read([[frame, 0, 4000]]))).toBe('refused')
  expect(user.run(read([]))).toBe('refused')
  expect(user.run(read([[frame, 8192 - 512, 4096]]))).toBe('refused')
  expect(user.run(read([[63, 0, 4096]]))).toBe('refused')
  expect(user.run({ opcode: BLOCK_COMPARE, blocks: 1, segments: [[frame, 0, 4096]] })).toBe('refused')
  expect(user.run(read([[frame, 0, 8192]], 1))).toBe('refused')
  expect(user.queue.counters.snapshot()).toMatchObject({ submitted: 0, refusedLease: 2, refusedInvalid: 5 })
})

test('a file that is cut behind our back: what is there is moved, then EIO', async () => {
  for (const direct of ['auto', 'never'] as const) {
    const path = join(rig.folder(), 'image')
    const user = rig.attach(await rig.open({ path, direct }))
    const source = user.frame(5)
    expect(user.run(inBlocks(write(0, [[source, 0, 8192]])))).toEqual(good(8192))
    const fd = openSync(path, 'r+')
    ftruncateSync(fd, 4096)
    closeSync(fd)
    const one = user.frame(0)
    const other = user.frame(0)
    const single = user.run({ opcode: BLOCK_READ, lba: 0, blocks: 2, segments: [[one, 0, 8192]] })
    expect(single).toEqual({ cookie: 1, status: -5, result: 0 })
    expect(user.bytes(one, 0, 4096)).toEqual(new Uint8Array(4096).fill(5))
    const several = [
      [other, 4096, 2048],
      [other, 0, 4096],
      [one, 4096, 2048],
    ] as const
    expect(user.run({ opcode: BLOCK_READ, lba: 0, blocks: 2, segments: several })).toEqual({
      cookie: 1,
      status: -5,
      result: 0,
    })
    expect(user.queue.counters.get('failed')).toBe(2)
  }
})

test('a loop device: its blocks, its discards, its end', async (context) => {
  const path = join(rig.folder(), 'backing')
  await (await rig.open({ path, size: 4 << 20 })).close()
  let loop: { path: string; close(): void }
  try {
    loop = createLoopDevice({ path, offset: 1 << 20, sizeLimit: 1 << 20 })
  } catch (error) {
    return context.skip((error as Error).message)
  }
  rig.onClose(() => loop.close())
  const device = await rig.open({ path: loop.path })
  expect(device.namespaces.get(1)).toBe(256)
  expect(device.capabilities).toMatchObject({ blockSize: 4096, memoryAlignment: 512, persistence: 'media' })
  const user = rig.attach(device)
  const frame = user.frame(0xaa)
  expect(user.run(inBlocks(write(254, [[frame, 0, 8192]])))).toEqual(good(8192))
  expect(user.run(inBlocks(write(0, [[frame, 0, 8192]], BLOCK_FUA)))).toEqual(good(8192))
  expect(user.run({ opcode: BLOCK_WRITE_ZEROES, lba: 0, blocks: 1 })).toEqual(good())
  expect(user.run({ opcode: BLOCK_DEALLOCATE, lba: 100, blocks: 50 })).toEqual(good())
  expect(user.run({ opcode: BLOCK_FLUSH })).toEqual(good())
  expect(user.run(inBlocks(write(255, [[frame, 0, 8192]])))).toBe('refused')
  await device.close()
  const bytes = readFileSync(path)
  expect([...new Set(bytes.subarray(0, 1 << 20))]).toEqual([0])
  expect(bytes[1 << 20]).toBe(0)
  expect(bytes[(1 << 20) + 4096]).toBe(0xaa)
  expect(bytes[(2 << 20) - 1]).toBe(0xaa)
  expect([...new Set(bytes.subarray(2 << 20))]).toEqual([0])
})

test('a new file has its blocks before they are written', async () => {
  const path = join(rig.folder(), 'image')
  await rig.open({ path, size: 8 << 20 })
  expect(statSync(path).size).toBe(8 << 20)
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(8 << 20)
})
