import { closeSync, constants, openSync } from 'node:fs'
import { BLOCK_DEALLOCATE, BLOCK_FLUSH, BLOCK_READ, BLOCK_WRITE, createPlainWindow, FramePool } from '@parakernel/hal'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createQueueRing } from '../src/control/queue-ring.ts'
import { IoUringQueue } from '../src/index.ts'
import { clock, QueueUser, Rig, requireIoUring, whole } from './rig.ts'

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

/**
 * A queue whose disk is polled has two rings: one that polls for reads and writes, one for what cannot be polled for. Here neither
 * polls, because few machines have a disk that can; everything else is as it is there.
 */
test('a queue with a second ring for what cannot be polled for', async () => {
  const device = await rig.open()
  const window = createPlainWindow(16, { frameSize: 8192, headroom: 0 })
  const grant = device.grant(0, whole(device), window)
  const target = openSync(device.name, constants.O_RDWR | constants.O_DIRECT)
  rig.onClose(() => closeSync(target))
  const second = createQueueRing({
    subject: 'second ring',
    target,
    window,
    depth: device.capabilities.queueDepth,
    wake: grant.transport.wake,
    submissionThread: false,
    submissionIdle: 1,
    polled: false,
    registerBuffers: false,
    warn: undefined,
  })
  rig.onClose(() => {
    second.owned.close()
    second.gone.close()
  })
  const both = { ...grant, transport: { ...grant.transport, unpolledRing: second.owned.ring } }
  const user = new QueueUser(new IoUringQueue(both, { pool: new FramePool(window), clock }))
  const frame = user.frame(0x44)
  const other = user.frame(0)
  for (let lba = 0; lba < 100; lba += 2) {
    const commands = [
      { opcode: BLOCK_WRITE, lba, blocks: 2, cookie: 1, segments: [[frame, 0, 8192]] as const },
      { opcode: BLOCK_FLUSH, cookie: 2 },
      { opcode: BLOCK_DEALLOCATE, lba: 200 + lba / 2, blocks: 1, cookie: 3 },
    ]
    expect(user.offer(commands)).toBe(3)
    expect(
      user
        .collect(3)
        .map(({ cookie, status }) => [cookie, status])
        .sort(),
    ).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
    ])
  }
  expect(user.run({ opcode: BLOCK_READ, lba: 98, blocks: 2, segments: [[other, 0, 8192]] })).toMatchObject({
    status: 0,
  })
  expect(user.bytes(other, 0, 8192)).toEqual(new Uint8Array(8192).fill(0x44))
  expect(user.queue.complete(user.done)).toBe(0)
  // Nothing would wake who sleeps while a read is under way on a disk that is polled.
  expect(user.queue.arm()).toBe(false)
  user.offer([{ opcode: BLOCK_READ, lba: 0, blocks: 1, segments: [[other, 0, 4096]] }])
  expect(user.queue.arm()).toBe(true)
  expect(user.collect(1)).toHaveLength(1)
})
