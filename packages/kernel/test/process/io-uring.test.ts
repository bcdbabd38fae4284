import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { leaseBlockRange, MonotonicClock } from '@parakernel/hal'
import { blockBackend } from '@parakernel/io-uring'
import { expect, it, onTestFinished } from 'vitest'
import { closeAll, hostOrSkip, memfdWindow, rootOrSkip, start } from './rig.ts'

const MODULE = new URL('../workers/block-writer.ts', import.meta.url).href

it('a process stores in its range of a file, and nowhere else, until that is taken', async (test) => {
  const host = hostOrSkip(test)
  rootOrSkip(test)
  const context = { clock: new MonotonicClock(), host }
  const able = blockBackend.probe(context)
  if (!able.available) test.skip(`needs ${able.missing}`)
  const folder = mkdtempSync(join(tmpdir(), 'pk-process-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'image')
  const device = await blockBackend.open({ path, size: 2 << 20, blockSize: 4096 }, context)
  onTestFinished(() => device.close())
  onTestFinished(closeAll)
  let lease: ReturnType<typeof leaseBlockRange>
  try {
    lease = leaseBlockRange(device, { namespace: 1, firstLba: 256, blocks: 128 })
  } catch (error) {
    return test.skip((error as Error).message)
  }
  const partition = start(host, {
    module: MODULE,
    window: memfdWindow(host, 16, 0, 4096),
    heap: { byteOffset: 0, byteLength: 0 },
    leases: [lease],
  })
  expect(await partition.call('store', 0, 0x31)).toBe(0x31)
  expect(await partition.call('store', 127, 0x32)).toBe(0x32)
  expect(await partition.call('store', 128, 0x33)).toBe('refused')
  const bytes = readFileSync(path)
  expect([255, 256, 383, 384].map((lba) => bytes[lba * 4096])).toEqual([0, 0x31, 0x32, 0])
  expect(partition.statistics().blocks).toMatchObject([{ bytesWritten: 8192, refusedLease: 1 }])
  lease.revoke?.()
  expect(await partition.call('store', 1, 0x34)).toBeLessThan(0)
  expect(readFileSync(path)[257 * 4096]).toBe(0)
  expect(await partition.stop()).toEqual({ kind: 'stopped' })
})
