import { spawnSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, type TestContext, test } from 'vitest'
import {
  blockDeviceUse,
  blockGeometry,
  createGoneWatch,
  createLoopDevice,
  deviceNumbers,
  directAlignment,
  discardBlocks,
  diskOf,
  isInMemory,
  type LoopDevice,
  type LoopDeviceOptions,
  lockHolder,
  preallocate,
  reachesMedia,
  tryLock,
} from '../src/index.ts'
import { requires } from './requirements.ts'

const MIB = 1 << 20
let folder: string
const opened: (() => void)[] = []
beforeEach((context) => {
  requires(context)
  folder = mkdtempSync(join(tmpdir(), 'pk-block-'))
})
afterEach(() => {
  for (const close of opened.splice(0).reverse()) close()
  if (folder !== undefined) rmSync(folder, { recursive: true })
})

function open(path: string, flags: number): number {
  const fd = openSync(path, flags)
  opened.push(() => closeSync(fd))
  return fd
}

function image(bytes: number, value = 0): string {
  const path = join(folder, 'image')
  writeFileSync(path, Buffer.alloc(bytes, value))
  return path
}

function loop(context: TestContext, options: LoopDeviceOptions): LoopDevice {
  requires(context, 'CAP_SYS_ADMIN')
  try {
    const device = createLoopDevice(options)
    opened.push(() => device.close())
    return device
  } catch (error) {
    if (statSync('/dev/loop-control', { throwIfNoEntry: false }) !== undefined) throw error
    return context.skip('needs loop devices') as never
  }
}

test('a loop device shows a range of a file, is discarded into it, and ends', (context) => {
  const path = image(4 * MIB, 0x33)
  const device = loop(context, { path, offset: MIB, sizeLimit: 2 * MIB, blockSize: 4096 })
  const fd = open(device.path, constants.O_RDWR)
  expect(blockGeometry(fd, device.path)).toEqual({
    bytes: 2 * MIB,
    logicalBlock: 4096,
    physicalBlock: 4096,
    readOnly: false,
  })
  expect(diskOf(statSync(device.path).rdev)).toMatchObject({ name: device.path.slice(5), backingFile: path })
  expect(reachesMedia(device.path)).toBe(reachesMedia(path))
  discardBlocks(fd, 0, 65_536, device.path)
  expect(() => discardBlocks(fd, 3 * MIB, 4096, device.path)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  closeSync(open(device.path, constants.O_RDWR))
  opened.pop()
  const bytes = readFileSync(path)
  expect([bytes[MIB - 1], bytes[MIB], bytes[MIB + 65_535], bytes[MIB + 65_536]]).toEqual([0x33, 0, 0, 0x33])
  expect(blockDeviceUse(statSync(device.path).rdev)).toBeUndefined()
})

test('a loop device that is read only says so; what cannot be one is refused by name', (context) => {
  const path = image(MIB)
  const device = loop(context, { path, readOnly: true })
  expect(blockGeometry(open(device.path, constants.O_RDONLY), device.path).readOnly).toBe(true)
  const subject = `loop device on ${path}`
  expect(() => createLoopDevice({ path, offset: 100 })).toThrow(expect.objectContaining({ code: 'EINVAL', subject }))
  expect(() => createLoopDevice({ path, blockSize: 1000 })).toThrow(
    expect.objectContaining({ code: 'EINVAL', subject }),
  )
  expect(() => createLoopDevice({ path: join(folder, 'absent') })).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})

test('the disk that is mounted here is known to be', () => {
  const status = statSync('/')
  const use = blockDeviceUse(status.dev)
  if (diskOf(status.dev) !== undefined) expect(use).toMatch(/^mounted on \//)
  expect(blockDeviceUse(0)).toBeUndefined()
})

test('a disk of which a partition is mounted is in use, and its other partition is not', (context) => {
  const path = image(64 * MIB)
  const device = loop(context, { path, partitions: true })
  const [one, two] = [`${device.path}p1`, `${device.path}p2`]
  // By hand: a kernel may read no partition tables.
  for (const part of [
    ['1', '2048', '40960'],
    ['2', '61440', '40960'],
  ]) {
    if (spawnSync('addpart', [device.path, ...part]).status !== 0) return context.skip('needs addpart')
    opened.push(() => spawnSync('delpart', [device.path, part[0]]))
  }
  if (spawnSync('mkfs.ext4', ['-q', '-F', one]).status !== 0) return context.skip('needs mkfs.ext4')
  const mount = mkdtempSync(join(tmpdir(), 'pk-mount-'))
  opened.push(() => rmSync(mount, { recursive: true }))
  if (spawnSync('mount', [one, mount]).status !== 0) return context.skip('needs the right to mount')
  opened.push(() => spawnSync('umount', [mount]))
  const use = (name: string) => blockDeviceUse(statSync(name).rdev)
  expect(use(one)).toBe(`mounted on ${mount}`)
  expect(use(two)).toBeUndefined()
  expect(use(device.path)).toBe(`its partition ${one.slice(5)} is mounted on ${mount}`)
})

test('device numbers are split as the kernel does', () => {
  expect(deviceNumbers(0xfe00)).toEqual([254, 0])
  expect(deviceNumbers(0x10_3f12)).toEqual([63, 0x112])
  expect(deviceNumbers((0x12n << 44n) | 0xfe01n)).toEqual([0x120fe & 0xffff_ffff, 1])
})

test('a lock is one open file at a time, and tells its holder', () => {
  const path = image(4096)
  const [first, second] = [open(path, constants.O_RDWR), open(path, constants.O_RDWR)]
  const { dev, ino } = statSync(path)
  expect(lockHolder(dev, ino)).toBeUndefined()
  expect(tryLock(first, path)).toBe(true)
  expect(tryLock(second, path)).toBe(false)
  expect(lockHolder(dev, ino)).toMatchObject({ pid: process.pid, dead: false, command: expect.stringMatching(/./) })
  expect(() => tryLock(-1, path)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

test('a file is given its blocks, or the error says how much was wanted', () => {
  const path = image(0)
  const fd = open(path, constants.O_RDWR)
  expect(preallocate(fd, MIB, path)).toBe(true)
  expect(statSync(path)).toMatchObject({ size: MIB })
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(MIB)
  expect(() => preallocate(fd, 2 ** 46, path)).toThrow(
    expect.objectContaining({
      code: expect.stringMatching(/ENOSPC|EFBIG/),
      remedy: expect.stringContaining(`${2 ** 46}`),
    }),
  )
  expect(statSync(path).size).toBe(MIB)
})

test('the alignment of direct I/O is read from the file', () => {
  const path = image(4096)
  const found = directAlignment(open(path, constants.O_RDWR), path)
  if (found !== undefined) expect(found.offset % 512).toBe(0)
  expect(isInMemory(folder)).toBe(isInMemory(path))
  expect(isInMemory('/proc')).toBe(false)
  expect(isInMemory(join(folder, 'absent'))).toBe(false)
  expect(() => directAlignment(-1, 'nothing')).toThrow(expect.objectContaining({ code: 'EBADF' }))
})

test('who holds a token is noticed when it is gone', () => {
  const watch = createGoneWatch('test')
  opened.push(() => watch.close())
  const copy = open(`/proc/self/fd/${watch.token}`, constants.O_WRONLY)
  watch.handOver()
  expect(watch.gone(20)).toBe(false)
  closeSync(copy)
  opened.pop()
  expect(watch.gone(1000)).toBe(true)
  watch.close()
  expect(watch.gone(0)).toBe(true)
})
