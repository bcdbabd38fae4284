import { BLOCK_FLUSH, BLOCK_READ, BLOCK_WRITE, MonotonicClock } from '@parakernel/hal'
import {
  blockBackend,
  decodeStatus,
  type NvmeDevice,
  type NvmeQueue,
  openNvme,
  openVfioTransport,
  type PassthroughQueue,
} from '@parakernel/nvme'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BlockSession } from '../../support/block-session.ts'
import { blockDeviceOf, returnVfioController, VFIO_SERIAL, vfioController } from '../../support/controllers.ts'
import { pattern } from '../../support/pattern.ts'

const EIO = 5
/** Sectors of 512 bytes that the image's rules let fail once, and the blocks around them. */
const BAD_READ = 2048
const BAD_WRITE = 4096
const BAD_PASSTHROUGH_READ = 6144
const BLOCK = 512

describe('nvme over vfio, a medium that fails', () => {
  let device: NvmeDevice
  let session: BlockSession

  beforeAll(async () => {
    device = await openNvme(openVfioTransport(vfioController()), { namespace: 1 }, { clock: new MonotonicClock() })
    session = await BlockSession.open(device, 1)
  })
  afterAll(() => session.close())

  const raw = () => decodeStatus((session.queue as NvmeQueue).statuses[0]!)

  test('leaves a zoned namespace alone, which is of another command set', () => {
    expect([...device.namespaces.keys()]).toEqual([1])
  })

  test('says EIO for an unrecovered read, and reads the same block the second time', () => {
    const data = new Uint8Array(BLOCK)
    const before = device.statistics()
    expect(session.run({ opcode: BLOCK_READ, lba: BAD_READ, blocks: 1, data })).toBe(-EIO)
    expect(raw()).toMatchObject({ type: 2, code: 0x81, name: 'Unrecovered Read Error' })
    expect(device.statistics().failed - before.failed).toBe(1)
    expect(session.run({ opcode: BLOCK_READ, lba: BAD_READ, blocks: 1, data })).toBe(0)
  })

  test('says EIO for a write that the medium does not take, and only for that one', () => {
    const writes = Array.from({ length: 8 }, (_, i) => ({
      opcode: BLOCK_WRITE,
      lba: BAD_WRITE - 4 + i,
      blocks: 1,
      data: pattern(BLOCK, i),
    }))
    expect(session.runAll(writes)).toEqual([0, 0, 0, 0, -EIO, 0, 0, 0])
    // What stands in the failed block is undefined; its neighbours are as they were written.
    for (const { lba, data } of writes) {
      if (lba === BAD_WRITE) continue
      const read = new Uint8Array(BLOCK)
      expect(session.run({ opcode: BLOCK_READ, lba, blocks: 1, data: read })).toBe(0)
      expect(read).toEqual(data)
    }
    expect(session.run(writes[4]!)).toBe(0)
  })

  test('goes on', () => {
    expect(session.run({ opcode: BLOCK_FLUSH })).toBe(0)
    expect(device.state).toBe('ready')
  })

  test('has a controller memory buffer, which it may show and need not use', () => {
    const { registers } = device.transport
    // CMBSZ is hidden until CMBMSC.CRE is set (NVMe base specification 2.0, section 3.1.3.15).
    expect(registers.read32(0x3c)).toBe(0)
    registers.write32(0x50, 1)
    expect(registers.read32(0x3c)).not.toBe(0)
    registers.write32(0x50, 0)
    expect(session.run({ opcode: BLOCK_FLUSH })).toBe(0)
  })
})

describe('nvme passthrough, a medium that fails', () => {
  const open = (device: string) =>
    blockBackend.open({ transport: 'passthrough', device }, { clock: new MonotonicClock() })
  const generic = (namespace: number) => blockDeviceOf(VFIO_SERIAL, namespace).replace('/dev/nvme', '/dev/ng')

  beforeAll(() => returnVfioController())

  test('says EIO for an unrecovered read, and reads the same block the second time', async () => {
    const session = await BlockSession.open(await open(generic(1)))
    const data = new Uint8Array(BLOCK)
    expect(session.run({ opcode: BLOCK_READ, lba: BAD_PASSTHROUGH_READ, blocks: 1, data })).toBe(-EIO)
    const { statuses } = session.queue as PassthroughQueue
    expect(decodeStatus(statuses[0]!)).toMatchObject({ type: 2, code: 0x81 })
    expect(session.run({ opcode: BLOCK_READ, lba: BAD_PASSTHROUGH_READ, blocks: 1, data })).toBe(0)
    await session.close()
  })

  test('refuses a zoned namespace', async () => {
    await expect(open(generic(2))).rejects.toMatchObject({ code: 'ENOTSUP', message: expect.stringContaining('zones') })
  })
})
