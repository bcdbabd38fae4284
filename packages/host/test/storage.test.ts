import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, readFile, writeFile } from '@parakernel/queue'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type HostStorageOptions, storageLibos } from '../src/index.ts'

const code = (value: string) => expect.objectContaining({ code: value })

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'parakernel-root-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function mount(options: HostStorageOptions, partition = 0, partitions = 1) {
  const loop = new RunLoop()
  loop.start()
  const pool = new FramePool(createPlainWindow(64))
  const runtime = createQueueRuntime(loop)
  const context = { loop, runtime, pool, block: undefined, persistent: undefined, partition, partitions }
  const libos = await storageLibos.create(options, context)
  onTestFinished(async () => {
    await libos.shutdown()
    loop.stop()
  })
  return libos
}

describe('the root folder', () => {
  it('is made when it is not there, and refused when it is none', async () => {
    const path = join(folder(), 'a', 'b')
    const libos = await mount({ path })
    await writeFile(libos, '/file', 'here')
    expect(readFileSync(join(path, 'file'), 'utf8')).toBe('here')
    await expect(mount({ path: join(path, 'file') })).rejects.toEqual(code('ENOTDIR'))
    await expect(mount({ path: join(path, 'file', 'below') })).rejects.toEqual(code('ENOTDIR'))
    await expect(mount({ path: join(path, 'none'), readOnly: true })).rejects.toEqual(code('ENOENT'))
    await expect(mount({ path, durability: 'forever' as never })).rejects.toEqual(code('EINVAL'))
    expect(readdirSync(path)).toEqual(['file'])
  })

  it('has a folder for each of several partitions', async () => {
    const path = folder()
    const [one, two] = [await mount({ path }, 0, 2), await mount({ path }, 1, 2)]
    await writeFile(one, '/file', 'one')
    expect(two.readdir('/')).toEqual([])
    expect(readdirSync(path).sort()).toEqual(['partition-0', 'partition-1'])
  })
})

describe('symbolic links', () => {
  it('that lead out of the root are refused by every call, and nothing outside is touched', async () => {
    const [outside, path] = [folder(), folder()]
    writeFileSync(join(outside, 'secret'), 'secret')
    mkdirSync(join(outside, 'empty'))
    symlinkSync(outside, join(path, 'way-out'))
    symlinkSync(join(outside, 'secret'), join(path, 'link'))
    symlinkSync(join(outside, 'none'), join(path, 'dangling'))
    symlinkSync('..', join(path, 'up'))
    const libos = await mount({ path })
    for (const call of [
      () => libos.open('/link'),
      () => libos.open('/link', { write: true }),
      () => libos.creat('/link'),
      () => libos.open('/way-out/secret'),
      () => libos.creat('/way-out/new'),
      () => libos.stat('/link'),
      () => libos.stat('/way-out'),
      () => libos.readdir('/way-out'),
      () => libos.readdir('/up'),
      () => libos.mkdir('/way-out/new'),
      () => libos.rmdir('/way-out/empty'),
      () => libos.unlink('/way-out/secret'),
      () => libos.rename('/way-out/secret', '/mine'),
      () => libos.rename('/link', '/way-out/link'),
    ]) {
      expect(call, call.toString()).toThrow(code('EACCES'))
    }
    expect(() => libos.creat('/dangling')).toThrow(code('ENOENT'))
    expect(readdirSync(outside).sort()).toEqual(['empty', 'secret'])
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret')
    // The link itself is a name like any other.
    libos.unlink('/link')
    expect(existsSync(join(outside, 'secret'))).toBe(true)
  })

  it('that stay inside are followed', async () => {
    const path = folder()
    mkdirSync(join(path, 'd'))
    symlinkSync('d', join(path, 'alias'))
    symlinkSync(join('d', 'file'), join(path, 'link'))
    const libos = await mount({ path })
    await writeFile(libos, '/alias/file', 'content')
    expect(new TextDecoder().decode(await readFile(libos, '/link'))).toBe('content')
    expect(libos.stat('/link').inode).toBe(libos.stat('/d/file').inode)
    expect(libos.readdir('/alias')).toEqual(['file'])
  })
})

it('what is neither a file nor a directory cannot be opened, and does not block', async (test) => {
  if (process.platform === 'win32') test.skip('there are no pipes with names here')
  const path = folder()
  execFileSync('mkfifo', [join(path, 'pipe')])
  const libos = await mount({ path })
  expect(() => libos.open('/pipe')).toThrow(code('EACCES'))
  expect(() => libos.open('/pipe', { write: true })).toThrow(code('EACCES'))
})

it('names that are no UTF-8 are left out of listings, and counted', async (test) => {
  if (process.platform !== 'linux') test.skip('the file system takes no such names')
  const path = folder()
  writeFileSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.of(0xff, 0xfe)]), 'x')
  writeFileSync(join(path, 'fine'), 'x')
  const libos = await mount({ path })
  expect(libos.readdir('/')).toEqual(['fine'])
  expect(libos.statistics().host.namesSkipped).toBe(1)
})

it('flushed pushes that wait together share their flushes', async () => {
  const libos = await mount({ path: folder(), durability: 'flushed' })
  const qd = libos.creat('/file')
  const sga = libos.sgaAlloc(100)
  const tokens = Array.from({ length: 200 }, () => libos.push(qd, sga))
  sga.free()
  for (const token of tokens) expect(await libos.runtime.completion(token)).toMatchObject({ kind: 'push' })
  const { fileFlushes, writes } = libos.statistics().host
  expect(writes).toBe(200)
  expect(fileFlushes).toBeGreaterThan(0)
  expect(fileFlushes).toBeLessThan(200)
})

it('files that were written and closed are flushed by syncVolume and at shutdown', async () => {
  const libos = await mount({ path: folder() })
  for (let i = 0; i < 100; i++) await writeFile(libos, `/file${i}`, 'x')
  expect(await libos.runtime.completion(libos.syncVolume())).toMatchObject({ kind: 'push', bytes: 0 })
  expect(libos.statistics().host.fileFlushes).toBeGreaterThanOrEqual(100)
})
