import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { BLOCK_READ, BLOCK_WRITE, createPlainWindow, FramePool, type FrameWindow } from '@parakernel/hal'
import { DescriptorPoller } from '@parakernel/linux'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { blockBackend, type IoUringDevice, type IoUringOptions } from '../src/index.ts'
import { BLOCK, clock, QueueUser, Rig, requireIoUring, whole } from './rig.ts'

const ECANCELED = 125
const LARGE = 256 << 10

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

const window64 = () => createPlainWindow(64, { frameSize: 8192, headroom: 0 })
const descriptors = () =>
  readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })

/** Node's own loops have some too. */
const rings = () => descriptors().filter((name) => name.includes('io_uring')).length

/** 64 reads into all frames of a window, submitted and not waited for. */
function flood(user: QueueUser): void {
  const commands = Array.from({ length: 64 }, (_, cookie) => ({
    opcode: BLOCK_READ,
    lba: (cookie * user.pool.frameSize) / BLOCK,
    blocks: user.pool.frameSize / BLOCK,
    cookie,
    segments: [[user.pool.allocate(), 0, user.pool.frameSize]] as const,
  }))
  expect(user.offer(commands)).toBe(64)
}

/** Of all that a window's frames hold. */
const digest = ({ region }: FrameWindow) => createHash('sha1').update(new Uint8Array(region.buffer)).digest('hex')

const MODES: readonly (readonly [string, Partial<IoUringOptions>])[] = [
  ['rings of the holder', {}],
  ['a submission thread', { submissionThread: true }],
]

describe.each(MODES)('%s', (_name, options) => {
  test('after a reclaim nothing touches the frames; what was outstanding is cancelled; the queue is granted again', async () => {
    // Large reads of what is really on the disk: they take a while.
    const path = join(rig.folder(), 'image')
    const fd = openSync(path, 'w')
    for (let i = 0; i < 64; i++) writeSync(fd, Buffer.alloc(LARGE, 0x77))
    fsyncSync(fd)
    closeSync(fd)
    const device = await rig.open({ path, ...options })
    const window = createPlainWindow(64, { frameSize: LARGE, headroom: 0 })
    const user = rig.attach(device, { window })
    flood(user)
    device.reclaim(user.queue.grant)
    device.reclaim(user.queue.grant)
    const bytes = new Uint8Array(window.region.buffer)
    bytes.fill(0xcc)
    const next = rig.attach(device)
    const frame = next.frame(0)
    expect(next.run({ opcode: BLOCK_READ, lba: 0, blocks: 1, segments: [[frame, 0, 4096]] })).toMatchObject({
      status: 0,
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(bytes.indexOf(0x77)).toBe(-1)
    const outcomes = user.collect(64, 200)
    expect(outcomes.map(({ cookie }) => cookie).sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, i) => i))
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set([-ECANCELED]))
    expect(user.queue.complete(user.done)).toBe(0)
    expect(user.offer([{ opcode: BLOCK_READ, lba: 0, blocks: 1, segments: [[0, 0, 4096]] }])).toBe(0)
    const { submitted, completed, failed } = device.statistics()
    expect({ submitted, completed, failed }).toEqual({ submitted: 65, completed: 65, failed: 64 })
  })

  test('close with commands outstanding ends them all and leaves no descriptor', async () => {
    const before = descriptors().length
    const ringsBefore = rings()
    const device = await rig.open({ size: 8 << 20, queues: 3, ...options })
    const users = [0, 1, 2].map((queue) => rig.attach(device, { queue }))
    for (const user of users) flood(user)
    await device.close()
    for (const user of users) {
      expect(user.collect(64, 200)).toHaveLength(64)
      user.queue.detach()
    }
    // What a holder might still look at is kept as placeholders: a ring's number and an eventfd's a queue.
    expect(descriptors().length - before).toBeLessThanOrEqual(6)
    expect(rings()).toBe(ringsBefore)
    const again = await rig.open({ path: device.name })
    await again.close()
  })

  test('a detached queue leaves nothing behind, however often', async () => {
    const ringsBefore = rings()
    const device = await rig.open({ size: 8 << 20, ...options })
    const counts: number[] = []
    for (let i = 0; i < 6; i++) {
      const user = rig.attach(device)
      flood(user)
      expect(user.collect(64)).toHaveLength(64)
      user.queue.detach()
      counts.push(descriptors().length)
    }
    expect(new Set(counts.slice(1)).size).toBe(1)
    await device.close()
    expect(rings()).toBe(ringsBefore)
  })

  test('a worker that is killed in mid-burst keeps nothing: the queue, the frames and the file are free', async () => {
    const device = await rig.open({ size: 8 << 20, ...options })
    const window = window64()
    const grant = device.grant(0, whole(device), window)
    const worker = new Worker(new URL('./worker-flood.ts', import.meta.url), { workerData: grant })
    const error = new Promise<never>((_, reject) => worker.once('error', reject))
    await Promise.race([new Promise((resolve) => worker.once('message', resolve)), error])
    await new Promise((resolve) => setTimeout(resolve, 30))
    await worker.terminate()
    expect(device.statistics().submitted).toBeGreaterThan(0)
    device.reclaim(grant)
    new Uint8Array(window.region.buffer).fill(0x11)
    const before = digest(window)
    const user = rig.attach(device, { window: window64() })
    flood(user)
    expect(user.collect(64)).toHaveLength(64)
    expect(digest(window)).toBe(before)
    await device.close()
    await (await rig.open({ path: device.name })).close()
  })
})

test('commands of a thread run in it, and nowhere else: the grant is taken by one', async () => {
  const device = await rig.open()
  const window = window64()
  const grant = structuredClone(device.grant(0, whole(device), window))
  const queue = blockBackend.attach(grant, { pool: new FramePool(grant.window), clock })
  expect(() => blockBackend.attach(grant, { pool: new FramePool(grant.window), clock })).toThrow(
    expect.objectContaining({ code: 'ESTALE' }),
  )
  const user = new QueueUser(queue)
  const frame = user.frame(3)
  expect(user.run({ opcode: BLOCK_WRITE, lba: 1, blocks: 1, segments: [[frame, 0, 4096]] })).toMatchObject({
    status: 0,
  })
  expect(readFileSync(device.name)[BLOCK]).toBe(3)
})

test('who sleeps is woken by a completion, by nothing else, and by the end of the grant', async () => {
  for (const options of [{}, { submissionThread: true }]) {
    const device = await rig.open({ path: join(rig.folder(), 'image'), ...options })
    const user = rig.attach(device)
    const { wake } = user.queue
    if (wake.kind !== 'descriptor') throw new Error(wake.kind)
    const poller = new DescriptorPoller([wake.fd])
    const frame = user.frame(1)
    const read = { opcode: BLOCK_READ, lba: 0, blocks: 1, segments: [[frame, 0, 4096]] as const }
    expect(user.queue.arm()).toBe(false)
    expect(poller.wait(20e6)).toBe(0)
    expect(user.queue.complete(user.done)).toBe(0)
    for (let round = 0; round < 20; round++) {
      user.offer([read])
      if (!user.queue.arm()) expect(poller.wait(5e9)).toBe(1)
      expect(user.collect(1)).toHaveLength(1)
      // A signal of the last moment may still be there: the next visit drains it.
      user.queue.complete(user.done)
    }
    // Polling, a completion signals nobody.
    user.offer([read])
    expect(user.collect(1)).toHaveLength(1)
    expect(poller.wait(0)).toBe(0)
    user.queue.arm()
    device.reclaim(user.queue.grant)
    expect(poller.wait(0)).toBe(1)
  }
})

function device2(device: IoUringDevice): [QueueUser, QueueUser] {
  return [rig.attach(device, { queue: 0 }), rig.attach(device, { queue: 1 })]
}

test('queues are their own: one is reclaimed while the other goes on', async () => {
  const [a, b] = device2(await rig.open({ queues: 2, size: 8 << 20 }))
  flood(a)
  flood(b)
  const device = a.queue.grant
  expect(b.collect(64)).toHaveLength(64)
  expect(a.collect(64)).toHaveLength(64)
  expect(device.queue).toBe(0)
})
