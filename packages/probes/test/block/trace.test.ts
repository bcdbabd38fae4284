import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmulatedDisk } from '@parakernel/emulated'
import {
  attachBlockQueue,
  BLOCK_COMPARE,
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BlockBurst,
  BlockCompletions,
  createPlainWindow,
  FramePool,
  VirtualClock,
} from '@parakernel/hal'
import { expect, test } from 'vitest'
import { type BlockTraceDevice, blockTrace } from '../../src/index.ts'

test('a trace has each command with its times, what was refused, and what found the queue full', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'block-trace-'))
  const file = join(directory, 'trace.json')
  const clock = new VirtualClock()
  const disk = new EmulatedDisk({ clock, name: 'd', blocks: 64, blockSize: 512, latency: 5000, queueDepth: 3 })
  const device = blockTrace.wrap(disk, { file }, { clock }) as BlockTraceDevice
  const grant = device.grant(0, { namespace: 1, firstLba: 0, blocks: 64 }, createPlainWindow(4, { headroom: 0 }))
  const queue = await attachBlockQueue(grant, { pool: new FramePool(grant.window), clock })
  const frame = queue.pool.allocate()
  const burst = new BlockBurst(8)
  clock.advance(1000)
  for (const [opcode, lba] of [
    [BLOCK_READ, 1],
    [BLOCK_WRITE, 99],
    [BLOCK_COMPARE, 2],
    [BLOCK_FLUSH, 0],
    [BLOCK_WRITE, 3],
  ]) {
    burst.push(opcode, 1, lba, opcode === BLOCK_FLUSH ? 0 : 1, lba)
    if (opcode !== BLOCK_FLUSH) burst.addSegment(frame, 0, 512)
  }
  expect(queue.submit(burst)).toBe(4)
  clock.advance(5000)
  const completions = new BlockCompletions(8)
  expect(queue.complete(completions)).toBe(3)
  expect([...completions.cookie.subarray(0, 3)].sort()).toEqual([0, 1, 2])
  await device.close()
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8'))
  const seen = traceEvents.map(({ name, ph, ts }: { name: string; ph: string; ts: number }) => `${ph} ${name} ${ts}`)
  expect(seen).toEqual([
    'M process_name 0',
    'M thread_name 0',
    'i queue full 1',
    'i refused 1',
    'b read 1',
    'e read 6',
    'b compare 1',
    'e compare 6',
    'b flush 1',
    'e flush 6',
  ])
  expect(traceEvents[4].args).toEqual({ lba: 1, blocks: 1 })
  expect(new Set(traceEvents.slice(4).map(({ id }: { id: string }) => id)).size).toBe(3)
  rmSync(directory, { recursive: true })
})
