import { BLOCK_READ, BLOCK_WRITE, MonotonicClock } from '@parakernel/hal'
import { beforeEach, expect, test } from 'vitest'
import { decodeStatus, openNvme } from '../../src/index.ts'
import { Driver } from '../conformance/driver.ts'
import { Qemu, qemuMissing } from './qemu.ts'
import { QtestTransport } from './qtest-transport.ts'

beforeEach((context) => {
  const missing = qemuMissing()
  if (missing !== undefined) context.skip(missing)
})

/** Sectors of 512 bytes, whatever the blocks of the namespace. */
const inject = (event: string, sector: number, once: boolean) =>
  `[inject-error]\nevent = "${event}"\nerrno = "5"\nsector = "${sector}"\nonce = "${once ? 'on' : 'off'}"\n`

async function open(blkdebug: string) {
  const qemu = await Qemu.start({ namespaces: [{ bytes: 8 << 20, blkdebug }] })
  const transport = new QtestTransport(qemu)
  const clock = new MonotonicClock()
  const device = await openNvme(transport, { queues: 1, depth: 16 }, { clock })
  return new Driver(device, () => transport.memory.createWindow(96, { frameSize: 4096 }), clock)
}

test('a read that the media fail: EIO, with the status of an unrecovered read, and the neighbours are well', async () => {
  const driver = await open(inject('read_aio', 80, true))
  const queue = driver.queue(0)
  expect(await driver.run(queue, { opcode: BLOCK_READ, lba: 10, blocks: 1 })).toMatchObject({ status: -5, result: 0 })
  expect(decodeStatus(queue.statuses[0])).toMatchObject({ type: 2, code: 0x81, name: 'Unrecovered Read Error' })
  expect(queue.counters.get('failed')).toBe(1)
  expect((await driver.run(queue, { opcode: BLOCK_READ, lba: 11, blocks: 1 })).status).toBe(0)
  expect((await driver.run(queue, { opcode: BLOCK_READ, lba: 10, blocks: 1 })).status).toBe(0)
  await driver.close()
})

test('a write that the media fail for good: EIO each time, and other blocks are written', async () => {
  const driver = await open(inject('write_aio', 160, false))
  const queue = driver.queue(0)
  const data = driver.pattern(1, 5)
  for (let round = 0; round < 3; round++) {
    expect((await driver.run(queue, { opcode: BLOCK_WRITE, lba: 20, blocks: 1, data })).status).toBe(-5)
    expect((await driver.run(queue, { opcode: BLOCK_WRITE, lba: 21, blocks: 1, data })).status).toBe(0)
  }
  expect(queue.counters.get('failed')).toBe(3)
  await driver.close()
})
