import { BLOCK_COMPARE, BLOCK_FLUSH, BLOCK_READ, BLOCK_WRITE, createPlainWindow, FramePool } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import {
  deallocate,
  flush,
  type Medium,
  MediumRequest,
  openBlockMedium,
  read,
  subMedium,
  write,
  writeZeroes,
} from '../src/index.ts'
import { plainMemory } from './support/crash.ts'
import { Random } from './support/random.ts'
import { createPersistentRig, createRig, type Rig } from './support/rig.ts'

const rigs: readonly [string, () => Rig][] = [
  ['blocks', () => createRig({ blocks: 256, blockSize: 512 })],
  ['blocks that reorder', () => createRig({ blocks: 256, blockSize: 512, latency: 1000, jitter: 5000, reorder: true })],
  [
    'a device of narrow limits',
    () =>
      createRig({
        blocks: 256,
        blockSize: 512,
        maxTransfer: 3,
        maxSegments: 2,
        queueDepth: 2,
        latency: 100,
        jitter: 90,
      }),
  ],
  [
    'a device with the page rule',
    () => createRig({ blocks: 256, blockSize: 512, segmentPage: 4096, maxSegments: 4, latency: 10 }),
  ],
  ['persistent memory', () => createPersistentRig(131_072, {}, plainMemory)],
]

/** Waits for one request. */
function run(rig: Rig, medium: Medium, fill: (request: MediumRequest) => void, segments = 8): Promise<number> {
  return rig.run(
    () =>
      new Promise<number>((resolve) => {
        const request = new MediumRequest((done) => resolve(done.status), segments)
        fill(request)
        medium.submit(request)
      }),
  )
}

describe.for(rigs)('a medium on %s', ([, create]) => {
  it('holds what was written, in segments of any cut', async () => {
    const rig = create()
    const { medium, pool } = rig
    const { blockSize } = medium
    const blocks = medium.byteLength / blockSize
    const model = new Uint8Array(medium.byteLength)
    const random = new Random(3)
    const frames = Array.from({ length: 12 }, () => pool.allocate())
    for (let step = 0; step < 150; step++) {
      const count = 1 + random.below(20)
      const first = random.below(blocks - count)
      const opcode = random.chance(50) ? BLOCK_WRITE : BLOCK_READ
      const data = random.bytes(count * blockSize)
      const pieces: [frame: number, offset: number, size: number, at: number][] = []
      const fill = (request: MediumRequest) => {
        request.begin(opcode, first * blockSize, 0, random.chance(30))
        for (let at = 0, i = 0; at < data.length; i++) {
          const offset = random.below(4) * blockSize
          const last = i === frames.length - 1
          const most = Math.min(pool.frameSize - offset, data.length - at)
          const size = last ? most : Math.min(most, (1 + random.below(4)) * blockSize)
          if (last && size < data.length - at) break
          request.add(frames[i], offset, size)
          pieces.push([frames[i], offset, size, at])
          if (opcode === BLOCK_WRITE) pool.copyIn(pool.address(frames[i]) + offset, data, at, size)
          at += size
        }
      }
      expect(await run(rig, medium, fill, frames.length)).toBe(0)
      for (const [frame, offset, size, at] of pieces) {
        const start = first * blockSize + at
        if (opcode === BLOCK_WRITE) model.set(data.subarray(at, at + size), start)
        else {
          const found = pool.bytes.slice(pool.address(frame) + offset, pool.address(frame) + offset + size)
          expect(Buffer.compare(found, model.subarray(start, start + size))).toBe(0)
        }
      }
    }
    for (const frame of frames) pool.release(frame)
    await rig.run(async () => {
      expect(Buffer.compare(await read(medium, 0, medium.byteLength), model)).toBe(0)
      await writeZeroes(medium, 0, 8 * blockSize)
      expect((await read(medium, 0, 8 * blockSize)).every((byte) => byte === 0)).toBe(true)
      expect(await deallocate(medium, 8 * blockSize, 4 * blockSize)).toBe(0)
      await write(medium, 0, new Uint8Array(blockSize).fill(5), true)
      await flush(medium)
      expect((await read(medium, 0, blockSize))[0]).toBe(5)
    })
    expect(medium.outstanding).toBe(0)
    expect(pool.available).toBe(pool.frameCount)
  })

  it('refuses what is malformed or outside, never within submit, and counts it', async () => {
    const rig = create()
    const { medium, pool } = rig
    const { blockSize, byteLength } = medium
    const frame = pool.allocate()
    const bad: ((request: MediumRequest) => unknown)[] = [
      (r) => r.begin(BLOCK_READ, byteLength).add(frame, 0, blockSize),
      (r) => r.begin(BLOCK_READ, -blockSize).add(frame, 0, blockSize),
      (r) => r.begin(BLOCK_WRITE, 1).add(frame, 0, blockSize),
      (r) => r.begin(BLOCK_WRITE, 0).add(frame, 0, blockSize - 1),
      (r) => r.begin(BLOCK_WRITE, 0),
      (r) => r.begin(BLOCK_WRITE, 0, blockSize),
      (r) => r.begin(BLOCK_READ, 0).add(pool.frameCount + 3, 0, blockSize),
      (r) => r.begin(99, 0, blockSize),
    ]
    for (const [i, fill] of bad.entries()) {
      let within = true
      const status = run(rig, medium, (request) => {
        fill(request)
        queueMicrotask(() => {
          within = false
        })
      })
      expect(await status, `case ${i}`).toBe(-22)
      expect(within).toBe(false)
    }
    expect(await run(rig, medium, (r) => r.begin(BLOCK_COMPARE, 0, blockSize))).toBeLessThan(0)
    expect(medium.counters.get('failed')).toBe(bad.length + 1)
    pool.release(frame)
  })

  it('completes what waits with ECANCELED when it is closed, and what comes after with EBADF', async () => {
    const rig = create()
    const statuses: number[] = []
    const request = () => new MediumRequest((done) => statuses.push(done.status)).begin(BLOCK_FLUSH, 0)
    for (let i = 0; i < 5; i++) rig.medium.submit(request())
    rig.medium.close()
    rig.medium.close()
    expect(statuses).toEqual([-125, -125, -125, -125, -125])
    rig.medium.submit(request())
    expect(statuses).toHaveLength(5)
    rig.loop.runOnce()
    expect(statuses[5]).toBe(-9)
    expect(rig.medium.outstanding).toBe(0)
  })

  it('has parts that keep to themselves', async () => {
    const rig = create()
    const { medium } = rig
    const { blockSize } = medium
    const part = subMedium(medium, 16 * blockSize, 32 * blockSize)
    const inner = subMedium(part, 8 * blockSize, 8 * blockSize)
    await rig.run(async () => {
      await write(inner, 0, new Uint8Array(blockSize).fill(9))
      expect((await read(medium, 24 * blockSize, blockSize))[0]).toBe(9)
      expect((await read(part, 8 * blockSize, blockSize))[0]).toBe(9)
      await expect(read(inner, 8 * blockSize, blockSize)).rejects.toMatchObject({ code: 'EINVAL' })
      await expect(write(part, -blockSize, new Uint8Array(blockSize))).rejects.toMatchObject({ code: 'EINVAL' })
      await flush(inner)
      inner.close()
      await expect(read(inner, 0, blockSize)).rejects.toMatchObject({ code: 'EBADF' })
      expect((await read(part, 0, blockSize)).length).toBe(blockSize)
    })
    for (const [position, length] of [
      [0, 0],
      [1, blockSize],
      [0, medium.byteLength + blockSize],
      [-blockSize, blockSize],
    ]) {
      expect(() => subMedium(medium, position, length)).toThrow(/EINVAL/)
    }
  })
})

describe('a block medium', () => {
  it('refuses frames that cannot hold a block', () => {
    const rig = createRig({ blocks: 16, blockSize: 4096, queues: 2 })
    const window = createPlainWindow(16, { frameSize: 2048, headroom: 0 })
    const grant = rig.disk.grant(1, { namespace: 1, firstLba: 0, blocks: 16 }, window)
    const queue = rig.disk.attach(grant, { pool: new FramePool(window), clock: rig.clock })
    expect(() => openBlockMedium(queue, rig.loop)).toThrow(/EINVAL.*frame size/)
  })

  it('fails what waits when its grant is taken away', async () => {
    const rig = createRig({ blocks: 64, blockSize: 512, latency: 1e6 })
    const statuses: number[] = []
    const request = () => new MediumRequest((done) => statuses.push(done.status)).begin(BLOCK_FLUSH, 0)
    rig.medium.submit(request())
    rig.loop.runOnce()
    rig.loop.runOnce()
    await rig.disk.close()
    rig.medium.submit(request())
    for (let i = 0; i < 6; i++) rig.loop.runOnce()
    expect(statuses).toHaveLength(2)
    expect(statuses.every((status) => status === -125 || status === -19)).toBe(true)
  })
})
