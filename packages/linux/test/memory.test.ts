import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { createPlainRegion } from '@parakernel/hal'
import { expect, test } from 'vitest'
import {
  adviseHugePages,
  calls,
  closeRegion,
  createMemfdRegion,
  foreign,
  LinuxHost,
  MAP_ANONYMOUS,
  MAP_SHARED,
  mapMemfdRegion,
  mmap,
  regionAddress,
  replaceByEmpty,
} from '../src/index.ts'
import { requires } from './requirements.ts'

test('a memfd region is one memory for all who map it', (context) => {
  requires(context)
  const region = createMemfdRegion(100_000, 'pk-test')
  expect(region.kind).toBe('memfd')
  expect(region.byteLength).toBe(131_072)
  const twin = mapMemfdRegion(region.fd, region.byteLength)
  new Uint8Array(region.buffer)[99_999] = 42
  expect(new Uint8Array(twin.buffer)[99_999]).toBe(42)
  new Uint8Array(twin.buffer)[0] = 7
  expect(new Uint8Array(region.buffer)[0]).toBe(7)
  closeRegion(region)
  // The pages stay.
  expect(new Uint8Array(twin.buffer)[99_999]).toBe(42)
})

test('its bytes are those of the WebAssembly memory, in a worker too', async (context) => {
  requires(context)
  const region = createMemfdRegion(65_536, 'pk-test')
  const worker = new Worker(
    "const { workerData, parentPort } = require('node:worker_threads')\n" +
      'Atomics.add(new Int32Array(workerData.memory.buffer), 3, 5); parentPort.postMessage(workerData.kind)',
    { eval: true, workerData: region },
  )
  expect(await new Promise((resolve) => worker.once('message', resolve))).toBe('memfd')
  expect(new Int32Array(region.buffer)[3]).toBe(5)
  await worker.terminate()
  closeRegion(region)
})

test('another process that inherits the descriptor sees it', (context) => {
  requires(context)
  const region = createMemfdRegion(65_536, 'pk-test')
  new Uint8Array(region.buffer).set([1, 2, 3])
  const child = spawnSync('dd', ['if=/proc/self/fd/3', 'bs=3', 'count=1', 'status=none'], {
    stdio: ['ignore', 'pipe', 'inherit', region.fd],
  })
  expect([...child.stdout]).toEqual([1, 2, 3])
  closeRegion(region)
})

test('the size is sealed, and a mapping longer than the file is refused', (context) => {
  requires(context)
  const region = createMemfdRegion(65_536, 'pk-test')
  const truncate = spawnSync('truncate', ['-s', '0', '/proc/self/fd/3'], {
    stdio: ['ignore', 'pipe', 'pipe', region.fd],
  })
  expect(truncate.status).not.toBe(0)
  expect(() => mapMemfdRegion(region.fd, 131_072)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  expect(() => new LinuxHost().mapRegion(9999, 65_536)).toThrow(expect.objectContaining({ code: 'EBADF' }))
  closeRegion(region)
})

test('a retired mapping reads zeros at the same address', (context) => {
  requires(context)
  const address = mmap(0, 4096, MAP_SHARED | MAP_ANONYMOUS, -1, 0, 'test')
  const bytes = new Uint8Array(foreign().view(address, 4096))
  bytes[10] = 9
  replaceByEmpty(address, 4096)
  expect(bytes[10]).toBe(0)
  bytes[10] = 3
  expect(bytes[10]).toBe(3)
  calls().munmap(address, 4096)
})

test('huge pages are asked for under a region', (context) => {
  requires(context)
  const region = createPlainRegion(8 << 20)
  adviseHugePages(region)
  const start = regionAddress(region).toString(16)
  const maps = readFileSync('/proc/self/smaps', 'utf8')
  const mapping = maps.slice(maps.indexOf(`\n${start}-`))
  // `hg`: MADV_HUGEPAGE was given.
  expect(/VmFlags:(.*)/.exec(mapping)?.[1]).toContain(' hg')
})

test('mmap failures carry errno and subject', (context) => {
  requires(context)
  expect(() => mmap(0, 4096, MAP_SHARED, 9999, 0, 'no such file')).toThrow(
    expect.objectContaining({ code: 'EBADF', subject: 'no such file' }),
  )
})
