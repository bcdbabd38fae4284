import { spawn } from 'node:child_process'
import { chmodSync, closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ParakernelError } from '@parakernel/hal'
import { blockGeometry, createLoopDevice, moveLoopDevice } from '@parakernel/linux'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createProcessLease, type ProcessLease, type ProcessLeaseOptions } from '../src/index.ts'
import type { LeaseReport } from './child-lease.ts'
import { canMakeLoopDevices, Rig, requireIoUring } from './rig.ts'

const BYTES = 3 << 20
const OFFSET = 1 << 20

let rig: Rig
beforeEach((context) => {
  requireIoUring(context)
  rig = new Rig()
})
afterEach(() => rig?.close())

function lease(options: ProcessLeaseOptions): ProcessLease {
  const made = createProcessLease(options, rig.context)
  rig.onClose(() => made.close())
  return made
}

/** Runs `child-lease.ts` with the lease's descriptors and nothing else, as nobody where this process may become that. */
async function inChild({ ticket, descriptors }: ProcessLease): Promise<LeaseReport> {
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
  let made: ProcessLease
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
