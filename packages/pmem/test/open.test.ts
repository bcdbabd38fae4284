import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { ErrorCode } from '@parakernel/hal'
import { tryLock } from '@parakernel/linux'
import type { PmemOptions } from '@parakernel/pmem'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Testbed } from './testbed.ts'

let bed: Testbed
beforeEach((context) => {
  bed = new Testbed(context)
})
afterEach(() => bed.close())

async function refused(options: PmemOptions, code: ErrorCode, message: RegExp): Promise<void> {
  await expect(bed.open(options)).rejects.toMatchObject({
    code,
    subject: options.path || 'path',
    message: expect.stringMatching(message),
    remedy: expect.any(String),
  })
}

test('creates a file with all its blocks, and finds its bytes again', async () => {
  const path = bed.memoryPath()
  const first = await bed.open({ path, size: 100_000 })
  expect(first.byteLength).toBe(131_072)
  expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(131_072)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  const region = bed.attach(first)
  new Uint8Array(region.region.buffer)[131_071] = 42
  region.persist([131_071, 1])
  await first.close()
  expect(readFileSync(path)[131_071]).toBe(42)

  const again = await bed.open({ path })
  expect(new Uint8Array(bed.attach(again).region.buffer)[131_071]).toBe(42)
  // What was closed reads as zeros, and goes nowhere.
  const stale = new Uint8Array(region.region.buffer)
  expect(stale[131_071]).toBe(0)
  stale[0] = 1
  expect(readFileSync(path)[0]).toBe(0)
})

test('an empty file is filled; a hole of an old one too', async () => {
  const empty = bed.memoryPath()
  closeSync(openSync(empty, 'w'))
  await refused({ path: empty }, 'EINVAL', /holds 0 bytes/)
  await refused({ path: empty, size: 65_536, create: false }, 'EINVAL', /holds 0 bytes/)
  expect((await bed.open({ path: empty, size: 65_536 })).byteLength).toBe(65_536)

  const sparse = bed.memoryPath()
  writeFileSync(sparse, 'kept')
  truncateSync(sparse, 1 << 20)
  await bed.open({ path: sparse })
  expect(statSync(sparse).blocks * 512).toBeGreaterThanOrEqual(1 << 20)
  expect(readFileSync(sparse).toString('latin1', 0, 4)).toBe('kept')
})

test('one owner, in this process and in others', async () => {
  const path = bed.memoryPath()
  const device = await bed.open({ path, size: 65_536 })
  await refused({ path }, 'EBUSY', /in use/)
  const fd = openSync(path, 'r')
  expect(tryLock(fd, path)).toBe(false)
  await device.close()
  expect(tryLock(fd, path)).toBe(true)
  await refused({ path }, 'EBUSY', new RegExp(`in use: process ${process.pid} `))
  closeSync(fd)
  await bed.open({ path })
})

test('a file of another length is refused, and left as it was', async () => {
  const path = bed.memoryPath()
  writeFileSync(path, Buffer.alloc(65_536, 'x'))
  await refused({ path, size: 131_072 }, 'EINVAL', /holds 65536 bytes, and the option size asks for 131072/)
  await refused({ path, size: 100 << 20 }, 'EINVAL', /truncated/)
  truncateSync(path, 65_535)
  await refused({ path }, 'EINVAL', /holds 65535 bytes, which is no multiple/)
  expect(readFileSync(path)).toEqual(Buffer.alloc(65_535, 'x'))
  truncateSync(path, 2 ** 31 + 65_536)
  await refused({ path }, 'EINVAL', /2 GiB/)
})

test('bad options and other kinds of files get a code and a remedy', async () => {
  const path = bed.memoryPath()
  for (const size of [0, -1, 1.5, Number.NaN, 2 ** 31 + 1]) await refused({ path, size }, 'EINVAL', /size/)
  await refused({ path }, 'ENOENT', /no size is given/)
  await refused({ path, size: 65_536, create: false }, 'ENOENT', /cannot be opened/)
  await refused({ path: '', size: 65_536 }, 'EINVAL', /must name a file/)
  await refused({ path: '/dev/null' }, 'ENOTSUP', /character device/)
  await refused({ path: '/dev/shm' }, 'EISDIR', /cannot be opened/)
  await refused({ path: join(path, 'below'), size: 65_536 }, 'ENOENT', /cannot be opened/)
  await refused({ path: `/dev/shm/${'n'.repeat(300)}`, size: 65_536 }, 'ENAMETOOLONG', /cannot be opened/)
  const loop = bed.memoryPath()
  symlinkSync(loop, loop)
  await refused({ path: loop, size: 65_536 }, 'EIO', /ELOOP/)
  await refused({ path, size: 65_536, granularity: 'page', force: true }, 'EINVAL', /force is for cache lines/)
  await refused({ path, size: 65_536, granularity: 'cache-line' }, 'ENOTSUP', /MAP_SYNC is refused/)
  // Nothing of a refused open is left behind.
  expect(existsSync(path)).toBe(false)
})
