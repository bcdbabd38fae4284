import { execFileSync } from 'node:child_process'
import { BLOCK_READ, BLOCK_WRITE, MonotonicClock } from '@parakernel/hal'
import { blockBackend } from '@parakernel/nvme'
import { describe, expect, test } from 'vitest'
import { BlockSession } from '../../support/block-session.ts'
import { blockDeviceOf, KERNEL_SERIAL } from '../../support/controllers.ts'
import { pattern } from '../../support/pattern.ts'

const context = { clock: new MonotonicClock() }
const generic = () => blockDeviceOf(KERNEL_SERIAL).replace('/dev/nvme', '/dev/ng')
const open = (device = generic()) =>
  blockBackend.open({ transport: 'passthrough', device, queues: 2, depth: 64 }, context)

describe('nvme passthrough: the kernel beside it', () => {
  test('reads through its block device what was written', async () => {
    const session = await BlockSession.open(await open())
    const data = pattern(4096, 9)
    expect(session.run({ opcode: BLOCK_WRITE, lba: 1000, blocks: 8, data })).toBe(0)
    await session.close()
    const out = execFileSync(
      'dd',
      [`if=${blockDeviceOf(KERNEL_SERIAL)}`, 'bs=512', 'skip=1000', 'count=8', 'iflag=direct'],
      {
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    )
    expect(Buffer.compare(out, data)).toBe(0)
  })

  test('a mounted namespace is refused, and none can be mounted while we have it', async () => {
    const device = blockDeviceOf(KERNEL_SERIAL)
    execFileSync('mkfs.ext4', ['-F', '-q', device], { stdio: 'ignore' })
    execFileSync('mkdir', ['-p', '/tmp/pt'])
    execFileSync('mount', ['-t', 'ext4', device, '/tmp/pt'])
    await expect(open()).rejects.toMatchObject({ code: 'EBUSY', subject: generic() })
    execFileSync('umount', ['/tmp/pt'])
    const ours = await open()
    expect(() => execFileSync('mount', ['-t', 'ext4', device, '/tmp/pt'], { stdio: 'ignore' })).toThrow()
    await expect(open()).rejects.toMatchObject({ code: 'EBUSY' })
    await ours.close()
  })

  test('what is no namespace is named, with those that are', async () => {
    await expect(open('/dev/ng9n9')).rejects.toMatchObject({
      code: 'ENOENT',
      remedy: expect.stringContaining(generic()),
    })
    await expect(open(blockDeviceOf(KERNEL_SERIAL))).rejects.toMatchObject({
      code: 'EINVAL',
      remedy: expect.stringContaining('io-uring backend'),
    })
    await expect(open('/dev/null')).rejects.toMatchObject({ code: 'ENODEV' })
  })

  test('a queue that is taken back completes what was under way, and can be granted again', async () => {
    const device = await open()
    const first = await BlockSession.open(device)
    expect(() => device.grant(0, first.queue.grant.range, first.pool.window)).toThrow({ code: 'EBUSY' })
    device.reclaim(first.queue.grant)
    device.reclaim(first.queue.grant)
    const second = await BlockSession.open(device)
    expect(second.run({ opcode: BLOCK_READ, lba: 0, blocks: 1, data: new Uint8Array(512) })).toBe(0)
    await second.close()
  })
})
