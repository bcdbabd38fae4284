import { EmulatedDisk } from '@parakernel/emulated'
import {
  attachBlockQueue,
  BLOCK_COMPARE,
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  type BlockQueue,
  createPlainWindow,
  FramePool,
  GRANT_REMOVED,
  VirtualClock,
} from '@parakernel/hal'
import { describe, expect, test } from 'vitest'
import { type BlockFaultOptions, type BlockFaultsDevice, blockFaults } from '../../src/index.ts'

const BLOCK = 512

async function open(options: BlockFaultOptions, queues = 1) {
  const clock = new VirtualClock()
  const disk = new EmulatedDisk({ clock, blocks: 1024, blockSize: BLOCK, queues, volatileCache: false })
  const device = blockFaults.wrap(disk, options, { clock }) as BlockFaultsDevice
  const attach = async (queue: number): Promise<BlockQueue> => {
    const window = createPlainWindow(8, { frameSize: 4096, headroom: 0 })
    const grant = device.grant(queue, { namespace: 1, firstLba: 0, blocks: 1024 }, window)
    return attachBlockQueue(structuredClone(grant), { pool: new FramePool(grant.window), clock })
  }
  const queue = await attach(0)
  const frame = queue.pool.allocate()
  const start = queue.pool.address(frame)
  const burst = new BlockBurst(1, 1)
  const completions = new BlockCompletions(64)
  /** Submits one command, whose data begins with `fill` in each block; no completion is waited for. */
  const submit = (opcode: number, lba = 0, blocks = 1, fill = 0): number => {
    burst.clear()
    burst.push(opcode, 1, lba, blocks, lba)
    if (opcode !== BLOCK_FLUSH) {
      queue.pool.bytes.fill(fill, start, start + blocks * BLOCK)
      burst.addSegment(frame, 0, blocks * BLOCK)
    }
    return queue.submit(burst)
  }
  const complete = () => {
    const count = queue.complete(completions)
    return Array.from({ length: count }, (_, i) => ({
      cookie: completions.cookie[i],
      status: completions.status[i],
      result: completions.result[i],
    }))
  }
  const run = (opcode: number, lba = 0, blocks = 1, fill = 0) => {
    if (submit(opcode, lba, blocks, fill) !== 1) throw new Error('not accepted')
    return complete()[0]
  }
  const data = () => queue.pool.bytes.slice(start, start + 4096)
  return { clock, disk, device, queue, submit, complete, run, data, attach }
}

test('without faults the device is its own, and unknown options are refused', () => {
  const disk = new EmulatedDisk({ blocks: 64 })
  const context = { clock: new VirtualClock() }
  expect(blockFaults.wrap(disk, { enabled: false }, context)).toBe(disk)
  for (const options of [{ nonsense: 1 }, { fail: 2 }, { media: [{ firstLba: 0, blocks: 0 }] }]) {
    expect(() => blockFaults.wrap(disk, options as BlockFaultOptions, context)).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    )
  }
})

describe('bad media', () => {
  test('fail reads, writes, or both, where they are', async () => {
    const { run, device } = await open({
      media: [
        { firstLba: 10, blocks: 2, on: 'read' },
        { firstLba: 20, blocks: 2, on: 'write' },
        { firstLba: 30, blocks: 1 },
        { firstLba: 40, blocks: 1, namespace: 2 },
      ],
    })
    const found = (opcode: number) =>
      [8, 9, 11, 12, 18, 19, 20, 21, 22, 29, 30, 31, 40].filter((lba) => run(opcode, lba, 2).status !== 0)
    expect(found(BLOCK_WRITE)).toEqual([19, 20, 21, 29, 30])
    expect(found(BLOCK_READ)).toEqual([9, 11, 29, 30])
    expect(found(BLOCK_COMPARE).length).toBeGreaterThan(3)
    expect(run(BLOCK_FLUSH).status).toBe(0)
    const { media, ...others } = device.faults()
    expect(media).toBeGreaterThanOrEqual(13)
    expect(Object.values(others).every((count) => count === 0)).toBe(true)
  })

  test('heal after their number of times, for all queues together', async () => {
    const { run, disk } = await open({ media: [{ firstLba: 5, blocks: 1, on: 'write', times: 2 }] })
    expect([1, 2, 3].map((fill) => run(BLOCK_WRITE, 5, 1, fill).status)).toEqual([-5, -5, 0])
    expect(disk.media[5 * BLOCK]).toBe(3)
  })
})

describe('by chance', () => {
  test('commands fail and do nothing', async () => {
    const { run, disk, device } = await open({ fail: 0.3 })
    let failed = 0
    for (let lba = 0; lba < 1000; lba++) {
      const { status, result } = run(BLOCK_WRITE, lba, 1, 7)
      expect([0, -5]).toContain(status)
      expect(result).toBe(status === 0 ? BLOCK : 0)
      expect(disk.media[lba * BLOCK]).toBe(status === 0 ? 7 : 0)
      if (status !== 0) failed++
    }
    expect(failed).toBeGreaterThan(240)
    expect(failed).toBeLessThan(360)
    expect(device.faults().failed).toBe(failed)
    expect(device.statistics()).toMatchObject({
      submitted: 1000,
      completed: 1000,
      failed,
      bytesWritten: (1000 - failed) * BLOCK,
    })
  })

  test('commands are cut short and say so, writes are torn and do not', async () => {
    for (const kind of ['short', 'torn'] as const) {
      const { run, disk, device } = await open({ [kind]: 0.5 })
      let cut = 0
      let reported = 0
      for (let lba = 0; lba < 800; lba += 4) {
        const { status, result } = run(BLOCK_WRITE, lba, 4, 7)
        const written = [0, 1, 2, 3].map((block) => disk.media[(lba + block) * BLOCK])
        const there = written.lastIndexOf(7) + 1
        expect(written).toEqual([0, 1, 2, 3].map((block) => (block < there ? 7 : 0)))
        if (there < 4) cut++
        if (status !== 0) reported++
        expect(result).toBe(kind === 'short' ? there * BLOCK : 4 * BLOCK)
        expect(status === 0).toBe(kind === 'torn' || there === 4)
      }
      expect(cut).toBeGreaterThan(60)
      expect(device.faults()[kind]).toBe(cut)
      expect(reported).toBe(kind === 'short' ? cut : 0)
      expect(device.statistics().failed).toBe(reported)
    }
  })

  test('decisions are repeated by the seed, and one kind does not move another', async () => {
    const failures = async (options: BlockFaultOptions) => {
      const { run } = await open(options)
      return Array.from({ length: 200 }, (_, lba) => (run(BLOCK_READ, lba).status === 0 ? 0 : 1)).join('')
    }
    expect(await failures({ fail: 0.2, seed: 4 })).toBe(await failures({ fail: 0.2, seed: 4 }))
    expect(await failures({ fail: 0.2, seed: 4 })).not.toBe(await failures({ fail: 0.2, seed: 5 }))
    expect(await failures({ fail: 0.2, delay: 0.5, delayTime: 0, seed: 4 })).toBe(
      await failures({ fail: 0.2, seed: 4 }),
    )
  })

  test('blocks rot: always the same bit of the same blocks, also in other queues', async () => {
    const { run, data, device, disk, attach } = await open(
      { rot: 0.1, seed: 9, media: [{ firstLba: 3, blocks: 1, on: 'rot' }] },
      2,
    )
    const flips = () =>
      Array.from({ length: 200 }, (_, lba) => {
        expect(run(BLOCK_READ, lba, 1, 0xff).status).toBe(0)
        return data()
          .subarray(0, BLOCK)
          .reduce((bits, byte) => bits + byte.toString(2).replaceAll('0', '').length, 0)
      })
    const first = flips()
    expect(first.every((bits) => bits <= 1)).toBe(true)
    expect(first[3]).toBe(1)
    const rotten = first.filter((bits) => bits === 1).length
    expect(rotten).toBeGreaterThan(8)
    expect(rotten).toBeLessThan(40)
    expect(device.faults().rotten).toBe(rotten)
    expect(flips()).toEqual(first)
    expect(disk.media.every((byte) => byte === 0)).toBe(true)
    ;(await attach(1)).detach()
  })
})

describe('time', () => {
  test('a hanging command is not answered until its timeout', async () => {
    const { submit, complete, clock, queue, device } = await open({ hang: 1, timeout: 5000 })
    submit(BLOCK_READ, 1)
    expect(complete()).toEqual([])
    expect(queue.nextEvent?.()).toBe(5000)
    clock.advance(5000)
    expect(queue.arm()).toBe(true)
    expect(complete()).toEqual([{ cookie: 1, status: -110, result: 0 }])
    expect(device.statistics()).toMatchObject({ timeouts: 1, failed: 1, submitted: 1, completed: 1 })
  })

  test('without a timeout it waits for the end of the grant', async () => {
    const { submit, complete, clock, queue, device } = await open({ hang: 1 })
    for (const lba of [1, 2, 3]) submit(BLOCK_WRITE, lba)
    clock.advance(1e12)
    expect(complete()).toEqual([])
    expect(queue.nextEvent?.()).toBe(Number.POSITIVE_INFINITY)
    device.reclaim(queue.grant)
    expect(
      complete()
        .map(({ cookie, status }) => [cookie, status])
        .sort(),
    ).toEqual([
      [1, -125],
      [2, -125],
      [3, -125],
    ])
    expect(complete()).toEqual([])
    expect(device.faults().hung).toBe(3)
  })

  test('a delayed completion comes later, with what it would have said', async () => {
    const { submit, complete, clock, disk } = await open({ delay: 1, delayTime: 2000 })
    submit(BLOCK_WRITE, 4, 1, 6)
    expect(complete()).toEqual([])
    expect(disk.media[4 * BLOCK]).toBe(6)
    clock.advance(1999)
    expect(complete()).toEqual([])
    clock.advance(1)
    expect(complete()).toEqual([{ cookie: 4, status: 0, result: BLOCK }])
  })
})

test('the device is gone at its nth command, for every queue', async () => {
  const { submit, complete, queue, device, attach } = await open({ goneAt: 3, delay: 1, delayTime: 1e9 }, 2)
  const other = await attach(1)
  expect([submit(BLOCK_READ, 1), submit(BLOCK_READ, 2), submit(BLOCK_READ, 3), submit(BLOCK_READ, 4)]).toEqual([
    1, 1, 1, 0,
  ])
  expect(queue.control.state).toBe(GRANT_REMOVED)
  expect(
    complete()
      .map(({ cookie }) => cookie)
      .sort(),
  ).toEqual([1, 2, 3])
  expect(complete()).toEqual([])
  const burst = new BlockBurst(1)
  burst.push(BLOCK_FLUSH, 1, 0, 0, 0)
  expect(other.submit(burst)).toBe(0)
  expect(other.control.state).toBe(GRANT_REMOVED)
  device.reclaim(queue.grant)
  await expect(attach(0)).rejects.toMatchObject({ code: 'ENODEV' })
})
