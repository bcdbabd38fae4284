import { spawn } from 'node:child_process'
import { chmodSync, closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BLOCK_WRITE, createPlainWindow, FramePool, leaseBlockRange, type ParakernelError } from '@parakernel/hal'
import { blockGeometry, calls, createLoopDevice, moveLoopDevice } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { blockBackend, createProcessLease, type ProcessLeaseOptions, type RingLease } from '../src/index.ts'
import type { LeaseReport } from './child-lease.ts'
import { canMakeLoopDevices, clock, QueueUser, Rig, requireIoUring } from './rig.ts'

const BYTES = 3 << 20
const OFFSET = 1 << 20
const F_DUPFD_CLOEXEC = 1030

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

function lease(options: ProcessLeaseOptions): RingLease {
  const made = createProcessLease(options, rig.context)
  rig.onClose(() => made.close())
  return made
}

/** Runs `child-lease.ts` with the lease's descriptors and nothing else, as nobody where this process may become that. */
async function inChild({ ticket, descriptors }: RingLease): Promise<LeaseReport> {
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  const child = spawn(
    process.execPath,
    ['--conditions=source', new URL('./child-lease.ts', import.meta.url).pathname, JSON.stringify(ticket)],
    { stdio: ['ignore', 'pipe', 'pipe', ...descriptors], ...nobody },
  )
  const text = { out: '', err: '' }
  child.stdout?.on('data', (data) => (text.out += data))
  child.stderr?.on('data', (data) => (text.err += data))
  await new Promise((resolve) => child.once('close', resolve))
  if (text.out === '') throw new Error(text.err)
  return JSON.parse(text.out) as LeaseReport
}

test('a range behind a loop device: a process with its descriptors works inside and reaches nothing outside', async (context) => {
  const path = join(rig.folder(), 'shared')
  writeFileSync(path, Buffer.alloc(BYTES, 0x77))
  chmodSync(path, 0o600)
  let made: RingLease
  try {
    made = lease({ path, blockSize: 4096, range: { offset: OFFSET, bytes: OFFSET } })
  } catch (error) {
    return context.skip((error as Error).message)
  }
  expect(made.ticket).toMatchObject({ enforcedBy: 'loop-device', blocks: 256 })
  const report = await inChild(made)
  expect(report).toEqual({
    // First and last block written, flushed and read back; a zeroed one in between.
    inside: [0, 0, 0, 0, 0],
    readBack: true,
    // The code of this package refuses it, and so does the kernel when the ring is used without that code.
    refused: 3,
    rawBeyondRead: 0,
    rawBeyondWrite: -28,
    rawFarWrite: -28,
    // EACCES: another operation, a descriptor of its own choice, a registration.
    rawOpen: -13,
    rawPlainDescriptor: -13,
    register: 'EACCES',
    outsideDescriptor: -9,
  })
  const bytes = readFileSync(path)
  expect(bytes.length).toBe(BYTES)
  expect([...new Set(bytes.subarray(0, OFFSET))]).toEqual([0x77])
  expect([...new Set(bytes.subarray(2 * OFFSET))]).toEqual([0x77])
  expect(bytes[OFFSET]).toBe(0x21)
  expect(bytes[2 * OFFSET - 1]).toBe(0x21)
})

test("a file of the process's own: it reaches that file and no other", async () => {
  const path = join(rig.folder(), 'own')
  const made = lease({ path, size: OFFSET })
  expect(made.ticket).toMatchObject({ enforcedBy: 'file', blocks: 256 })
  const report = await inChild(made)
  expect(report).toMatchObject({
    inside: [0, 0, 0, 0, 0],
    readBack: true,
    refused: 3,
    rawOpen: -13,
    rawPlainDescriptor: -13,
    register: 'EACCES',
    outsideDescriptor: -9,
  })
  expect(readFileSync(path)[0]).toBe(0x21)
  // The lease keeps the lock until it ends.
  expect(() => createProcessLease({ path }, rig.context)).toThrow(expect.objectContaining({ code: 'EBUSY' }))
  made.close()
  made.close()
  lease({ path }).close()
})

test('why the descriptor of a loop device is no lease: who may write to it may move it', (context) => {
  const path = join(rig.folder(), 'shared')
  writeFileSync(path, Buffer.alloc(BYTES))
  let loop: { path: string; close(): void }
  try {
    loop = createLoopDevice({ path, offset: OFFSET, sizeLimit: OFFSET })
  } catch (error) {
    return context.skip((error as Error).message)
  }
  rig.onClose(() => loop.close())
  const fd = openSync(loop.path, constants.O_RDWR)
  expect(blockGeometry(fd, loop.path)).toMatchObject({ bytes: OFFSET, readOnly: false })
  expect(moveLoopDevice(fd, 0, 0)).toBe(0)
  expect(blockGeometry(fd, loop.path).bytes).toBe(BYTES)
  closeSync(fd)
})

test('a range that makes no sense is EINVAL; without the right to make a loop device it is EPERM', async (context) => {
  const path = join(rig.folder(), 'shared')
  writeFileSync(path, Buffer.alloc(BYTES))
  const code = (options: ProcessLeaseOptions) => {
    try {
      lease(options)
    } catch (error) {
      return (error as ParakernelError).code
    }
    return 'nothing'
  }
  expect(code({ path, size: 4096, range: { offset: 0, bytes: 4096 } })).toBe('EINVAL')
  expect(code({ path, range: { offset: -4096, bytes: 4096 } })).toBe('EINVAL')
  expect(code({ path, range: { offset: 0, bytes: 0 } })).toBe('EINVAL')
  if (!canMakeLoopDevices()) {
    expect(code({ path, range: { offset: 0, bytes: 4096 } })).toBe('EPERM')
    return
  }
  const child = spawn(
    process.execPath,
    ['--conditions=source', new URL('./child-unprivileged-lease.ts', import.meta.url).pathname],
    { stdio: ['ignore', 'pipe', 'inherit'], uid: 65_534, gid: 65_534 },
  )
  let out = ''
  child.stdout.on('data', (data) => (out += data))
  await new Promise((resolve) => child.once('close', resolve))
  if (out === '') return context.skip('another user may not read the sources')
  expect(out).toMatch(/^EPERM .*loop-control.*file of its own/)
})

test('a range that is revoked is nothing any more, while its holder lives; a device leases ranges of itself', async (context) => {
  const path = join(rig.folder(), 'shared')
  const device = await blockBackend.open({ path, size: BYTES, blockSize: 4096 }, rig.context)
  rig.onClose(() => device.close())
  if (!canMakeLoopDevices()) {
    expect(() => leaseBlockRange(device, { namespace: 1, firstLba: 1, blocks: 4 })).toThrow(
      expect.objectContaining({ code: 'EPERM' }),
    )
    return context.skip('no loop device can be made')
  }
  expect(() => leaseBlockRange(device, { namespace: 1, firstLba: 0, blocks: 769 })).toThrow(
    expect.objectContaining({ code: 'EINVAL' }),
  )
  const made = leaseBlockRange(device, { namespace: 1, firstLba: 256, blocks: 256 })
  expect(made).toMatchObject({ kind: 'block', enforcedBy: 'restricted-ring+loop-device' })
  const { openProcessLease } = (await import(made.module)) as typeof import('../src/index.ts')
  const inherited = made.descriptors.map((fd) => calls().fcntl(fd, F_DUPFD_CLOEXEC, 3))
  const leased = openProcessLease(JSON.parse(JSON.stringify(made.ticket)), inherited)
  rig.onClose(() => leased.close())
  const window = createPlainWindow(16, { frameSize: 4096, headroom: 0 })
  const grant = leased.grant(0, { namespace: 1, firstLba: 0, blocks: 256 }, window)
  const user = new QueueUser(blockBackend.attach(grant, { pool: new FramePool(window), clock }))
  const write = () => user.run({ opcode: BLOCK_WRITE, lba: 3, blocks: 1, segments: [[user.frame(0x42), 0, 4096]] })
  expect(write()).toMatchObject({ status: 0 })
  expect(readFileSync(path)[259 * 4096]).toBe(0x42)
  expect(made.statistics()).toMatchObject({ submitted: 1, completed: 1, bytesWritten: 4096 })
  expect(device.statistics()).toMatchObject({ submitted: 1 })
  made.revoke?.()
  made.revoke?.()
  const failed = write()
  expect(failed === 'refused' ? 0 : failed.status).toBeLessThan(0)
  made.close()
  made.close()
  expect(device.statistics()).toMatchObject({ submitted: 2, failed: 1 })
})
