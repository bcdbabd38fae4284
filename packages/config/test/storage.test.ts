import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type ComposeOptions,
  type Config,
  type ConfigError,
  compose,
  loadConfig,
  type StorageConfig,
} from '../src/index.ts'

const partition = new URL('./fixtures/storage-partition.ts', import.meta.url)

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'parakernel-storage-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function start(storage: object | undefined, more: Config = {}, options: Partial<ComposeOptions> = {}) {
  const config = {
    host: 'none',
    ...more,
    ...(storage === undefined ? {} : { storage: storage as StorageConfig }),
  } as Config
  const machine = await compose(config, { name: 'm', partition, warn() {}, ...options })
  onTestFinished(() => machine.stop())
  return machine
}

/** 16 MiB, enough for a volume of each of two partitions. */
const disk = (path: string) => ({ backend: 'emulated', path, blocks: 4096, blockSize: 4096 })

describe.each(['inline', 'workers'])('%s', (where) => {
  const options = { inline: where === 'inline' }

  test('files on a block device, and after the machine was stopped', async () => {
    const storage = disk(join(folder(), 'disk.img'))
    const machine = await start(storage, {}, options)
    await machine.call(0, 'write', '/greeting', 'hello')
    expect(await machine.call(0, 'read', '/greeting')).toBe('hello')
    const statistics = await machine.statistics()
    expect(statistics.storage.device?.bytesWritten).toBeGreaterThan(0)
    expect(statistics.storage.partitions[0]?.['file']).toMatchObject({ bytesPushed: 5, bytesPopped: 5 })
    await machine.stop()
    const again = await start(storage, {}, options)
    expect(await again.call(0, 'list')).toEqual(['greeting'])
    expect(await again.call(0, 'read', '/greeting')).toBe('hello')
    await expect(again.call(0, 'open', '/none', {})).rejects.toMatchObject({ code: 'ENOENT' })
  })

  test('each partition has a queue and an equal share of its own', async () => {
    const machine = await start(disk(join(folder(), 'disk.img')), { partitions: 2 }, options)
    await machine.call(0, 'write', '/same', 'of partition 0')
    await machine.call(1, 'write', '/same', 'of partition 1')
    expect(await machine.call(0, 'read', '/same')).toBe('of partition 0')
    expect(await machine.call(1, 'read', '/same')).toBe('of partition 1')
    expect(await machine.call(0, 'given')).toMatchObject({
      frameSize: 4096,
      blocks: [{ queue: 0, range: { namespace: 1, firstLba: 0, blocks: 2048 } }],
    })
    expect(await machine.call(1, 'given')).toMatchObject({
      blocks: [{ queue: 1, range: { namespace: 1, firstLba: 2048, blocks: 2048 } }],
    })
  })

  test('persistent memory is shared out by bytes', async () => {
    const machine = await start({ backend: 'emulated-pmem', size: '16MiB' }, { partitions: 2 }, options)
    await machine.call(1, 'write', '/a', 'kept')
    expect(await machine.call(1, 'read', '/a')).toBe('kept')
    expect(await machine.call(1, 'given')).toMatchObject({
      blocks: [],
      persistent: [{ byteOffset: 8 << 20, byteLength: 8 << 20 }],
    })
  })

  test("files of the host's, in a folder for each partition", async () => {
    const path = folder()
    const machine = await start({ libos: 'host', path }, { partitions: 2 }, options)
    await machine.call(0, 'write', '/a', 'zero')
    await machine.call(1, 'write', '/a', 'one')
    expect(await machine.call(0, 'read', '/a')).toBe('zero')
    expect(await machine.call(1, 'read', '/a')).toBe('one')
    expect(machine.storageDevice).toBeUndefined()
    expect(readdirSync(path)).toHaveLength(2)
  })

  test('a machine without a storage says so where one is asked for', async () => {
    const machine = await start(undefined, {}, options)
    await expect(machine.call(0, 'list')).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/partition m: has no storage in its plan .*Give the config a "storage"/),
    })
    expect((await machine.statistics()).storage).toEqual({ device: undefined, partitions: [undefined] })
  })
})

test('frames that are too small for the device are refused, unless nobody has set them', async () => {
  const storage = disk(join(folder(), 'disk.img'))
  await expect(start(storage, { frames: { size: 2048 } })).rejects.toMatchObject({
    code: 'EINVAL',
    message: expect.stringMatching(
      /frames\.size: 2048 is not a multiple of 4096, as .*disk\.img needs it .*Set it to 4096/,
    ),
  })
})

test('fewer queues than partitions, and shares of nothing', async () => {
  await expect(start({ backend: 'emulated', queues: 1 }, { partitions: 2 })).rejects.toThrow(
    /has 1 queue.* for 2 partitions/,
  )
  await expect(start({ backend: 'emulated', blocks: 1 }, { partitions: 2 })).rejects.toMatchObject({ code: 'ENOSPC' })
})

describe('settings', () => {
  const settings = async (config: object, flags: Record<string, unknown> = {}) =>
    (await loadConfig({ config: config as Config, flags, environment: false, application: partition })).settings.storage
  const problem = (config: object) =>
    settings(config).then(
      () => 'none',
      (error) => (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`).join('\n'),
    )

  test('whoever sets something of it wants one', async () => {
    expect(await settings({})).toBeUndefined()
    expect(await settings({ storage: { path: 'x.img' } })).toMatchObject({
      libos: 'storage',
      backend: 'emulated',
      libosOptions: { durability: 'flushed' },
      backendOptions: { path: 'x.img', queues: 1 },
    })
    expect(await settings({}, { 'storage.blocks': '64' })).toMatchObject({ backendOptions: { blocks: 64 } })
    expect(await settings({ storage: { path: 'x.img' } }, { 'storage.libos': 'none' })).toBeUndefined()
  })

  test("the last part of a path is the network's where both have it", async () => {
    const { settings: all } = await loadConfig({
      config: { storage: { backend: 'emulated' } } as Config,
      flags: { libos: 'host', 'storage.backend': 'emulated-pmem' },
      environment: false,
      application: partition,
    })
    expect(all.network.libos).toBe('host')
    expect(all.storage).toMatchObject({ libos: 'storage', backend: 'emulated-pmem' })
  })

  test('mistakes are named', async () => {
    expect(await problem({ storage: { pth: 'x' } })).toMatch(/^storage\.pth: unknown key; did you mean storage\.path\?/)
    expect(await problem({ storage: { backend: 'emulatd' } })).toMatch(/did you mean "emulated"\?/)
    expect(await problem({ storage: { libos: 'host', path: '/x', backend: 'emulated' } })).toBe(
      'storage.backend: found "emulated" (string), but libOS "host" stands on the host\'s file system: leave it out',
    )
    expect(await problem({ storage: { libos: 'none', backend: 'emulated' } })).toBe(
      'storage.backend: found "emulated" (string), but storage.libos is "none": leave it out',
    )
    expect(await problem({ storage: { libos: 'net' } })).toMatch(/^storage\.libos: /)
    expect(await problem({ storage: { queues: 0 } })).toMatch(/^storage\.queues: found 0/)
  })
})
