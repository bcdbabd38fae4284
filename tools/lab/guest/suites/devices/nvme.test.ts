import { spawn } from 'node:child_process'
import { BLOCK_READ, MonotonicClock } from '@parakernel/hal'
import { blockBackend, type NvmeDevice } from '@parakernel/nvme'
import { describe, expect, test } from 'vitest'
import { exerciseBlockDevice } from '../../support/block-exercise.ts'
import { BlockSession } from '../../support/block-session.ts'
import { VFIO_SERIAL, vfioController } from '../../support/controllers.ts'
import { pattern } from '../../support/pattern.ts'

const context = { clock: new MonotonicClock() }
const open = (namespace: number) => () => blockBackend.open({ device: vfioController(), namespace, queues: 2 }, context)

exerciseBlockDevice('nvme over vfio, blocks of 4 KiB', open(2), 2)

describe('nvme over vfio', () => {
  test('tells who it is and how it is', async () => {
    const device = (await open(2)()) as NvmeDevice
    expect(device.identity).toMatchObject({ serial: VFIO_SERIAL, model: 'QEMU NVMe Ctrl' })
    expect([...device.namespaces]).toEqual([
      [1, (64 << 20) / 512],
      [2, (64 << 20) / 4096],
    ])
    expect(device.capabilities.blockSize).toBe(4096)
    const smart = await device.health.smart()
    expect(smart.temperature).toBeGreaterThan(250)
    await device.close()
  })

  test('a killed process has lost nothing that was acknowledged, and the next one starts anew', async () => {
    const writer = spawn(process.execPath, ['./programs/write-until-killed.js', vfioController()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let acknowledged = 0
    await new Promise<void>((resolve, reject) => {
      writer.once('exit', (code) => reject(new Error(`the writer ended with ${code}`)))
      writer.stdout.on('data', (data: Buffer) => {
        acknowledged = Number(data.toString().trimEnd().split('\n').at(-1))
        if (acknowledged >= 64) resolve()
      })
    })
    const ended = new Promise((resolve) => writer.once('exit', (_, signal) => resolve(signal)))
    writer.kill('SIGKILL')
    expect(await ended).toBe('SIGKILL')
    const session = await BlockSession.open(await open(2)(), 2)
    const size = session.device.capabilities.blockSize
    for (let lba = 0; lba < acknowledged; lba += 2) {
      const data = new Uint8Array(2 * size)
      expect(session.run({ opcode: BLOCK_READ, lba, blocks: 2, data })).toBe(0)
      expect(data.subarray(0, size)).toEqual(pattern(size, lba))
      expect(data.subarray(size)).toEqual(pattern(size, lba + 1))
    }
    await session.close()
  })
})
