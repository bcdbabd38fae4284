import { EmulatedDisk, EmulatedPersistentMemory } from '@parakernel/emulated'
import {
  attachBlockQueue,
  attachPersistentRegion,
  createPlainWindow,
  DebugFramePool,
  MonotonicClock,
} from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, openFile, readFile, sgaFromText, writeFile } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { type StorageOptions, storageLibos, VolumeLibOS } from '../../src/index.ts'

const BLOCKS = 4096
const clock = new MonotonicClock()
const code = (value: string) => expect.objectContaining({ code: value })

/** A disk that stays in the test's hands, and the way to mount it. */
function rig() {
  const media = new Uint8Array(BLOCKS * 4096)
  const disk = new EmulatedDisk({ clock, blockSize: 4096, media })
  const loop = new RunLoop()
  loop.start()
  const pool = new DebugFramePool(createPlainWindow(512, { frameSize: 4096, headroom: 0 }))
  const runtime = createQueueRuntime(loop)
  let grant: ReturnType<typeof disk.grant> | undefined
  const mount = async (options: StorageOptions = {}) => {
    if (grant !== undefined) disk.reclaim(grant)
    grant = disk.grant(0, { namespace: 1, firstLba: 0, blocks: BLOCKS }, pool.window)
    const block = await attachBlockQueue(grant, { pool, clock })
    const context = { loop, runtime, pool, block, persistent: undefined, partition: 0, partitions: 1 }
    return (await storageLibos.create(options, context)) as VolumeLibOS
  }
  return { media, disk, loop, pool, runtime, mount }
}

describe('mounting', () => {
  it('formats a medium that holds nothing, and only such', async () => {
    const { media, disk, mount, pool, loop } = rig()
    await expect(mount({ format: false })).rejects.toEqual(code('EINVAL'))
    await expect(mount({ readOnly: true })).rejects.toEqual(code('EINVAL'))
    expect(media.every((byte) => byte === 0)).toBe(true)
    media[65_536] = 1
    await expect(mount()).rejects.toEqual(code('EINVAL'))
    expect(media.findIndex((byte) => byte !== 0)).toBe(65_536)
    media[65_536] = 0
    const libos = await mount()
    expect(libos).toBeInstanceOf(VolumeLibOS)
    expect(libos.durability.promise).toContain('nothing')
    await libos.shutdown()
    expect(pool.report()).toBe('')
    await disk.close()
    loop.stop()
  })

  it('needs a device', async () => {
    const { loop, runtime, pool, disk } = rig()
    const context = { loop, runtime, pool, block: undefined, persistent: undefined, partition: 0, partitions: 1 }
    await expect(storageLibos.create({}, context)).rejects.toThrow(/storage\.backend/)
    await disk.close()
    loop.stop()
  })

  it('takes a snapshot instead of the live volume, for reading alone', async () => {
    const { mount, disk, loop, pool } = rig()
    const live = await mount()
    await writeFile(live, '/file', 'then')
    await live.engine.createSnapshot('before')
    await writeFile(live, '/file', 'now')
    await live.shutdown()
    const then = await mount({ snapshot: 'before' })
    expect(new TextDecoder().decode(await readFile(then, '/file'))).toBe('then')
    expect(() => then.mkdir('/d')).toThrow(code('EROFS'))
    await then.shutdown()
    await expect(mount({ snapshot: 'never' })).rejects.toEqual(code('ENOENT'))
    const now = await mount()
    expect(new TextDecoder().decode(await readFile(now, '/file'))).toBe('now')
    await now.shutdown()
    expect(pool.report()).toBe('')
    await disk.close()
    loop.stop()
  })
})

describe('a device that is pulled out', () => {
  it('fails what is under way and what comes, never reports safety, and gives every frame back', async () => {
    const { mount, disk, loop, pool, runtime } = rig()
    const libos = await mount()
    await writeFile(libos, '/kept', 'safe', { durability: 'flushed' })
    const file = await openFile(libos, '/file', { write: true, create: true, durability: 'buffered' })
    await file.write('buffered and lost')
    const lost = libos.open('/file', { write: true })
    disk.remove()
    await expect(file.sync()).rejects.toBeInstanceOf(Error)
    await expect(file.sync()).rejects.toBeInstanceOf(Error)
    const sga = sgaFromText(pool, 'too late')
    const push = libos.push(lost, sga)
    sga.free()
    expect(await runtime.completion(push)).toMatchObject({ kind: 'failed' })
    expect(await runtime.completion(libos.syncVolume())).toMatchObject({ kind: 'failed' })
    expect(() => libos.mkdir('/d')).toThrow(code('EROFS'))
    expect(libos.volume().readOnly).toBe(true)
    await expect(file.close()).rejects.toBeInstanceOf(Error)
    await expect(libos.shutdown()).rejects.toBeInstanceOf(Error)
    expect(runtime.outstanding).toBe(0)
    expect(pool.report()).toBe('')
    loop.stop()
  })

  it('fails flushed pushes that wait for it', async () => {
    const { mount, disk, loop, pool, runtime } = rig()
    const libos = await mount()
    const qd = libos.creat('/file')
    const tokens = Array.from({ length: 20 }, (_, i) => {
      const sga = sgaFromText(pool, `push ${i}`)
      const token = libos.push(qd, sga)
      sga.free()
      return token
    })
    disk.remove()
    const kinds = new Set<string>()
    for (const token of tokens) kinds.add((await runtime.completion(token)).kind)
    expect([...kinds]).toEqual(['failed'])
    await libos.shutdown().catch(() => {})
    expect(pool.report()).toBe('')
    loop.stop()
  })
})

describe('a lease that is taken away', () => {
  it('cancels flushed pushes that wait for it, each once, and gives every frame back', async () => {
    const { media, loop, pool, runtime } = rig()
    const disk = new EmulatedDisk({ clock, blockSize: 4096, media: media.slice(), latency: 20e6 })
    const grant = disk.grant(0, { namespace: 1, firstLba: 0, blocks: BLOCKS }, pool.window)
    const block = await attachBlockQueue(grant, { pool, clock })
    const context = { loop, runtime, pool, block, persistent: undefined, partition: 0, partitions: 1 }
    const libos = await storageLibos.create({}, context)
    const qd = libos.creat('/file')
    const push = (text: string) => {
      const sga = sgaFromText(pool, text)
      const token = libos.push(qd, sga)
      sga.free()
      return token
    }
    const tokens = Array.from({ length: 20 }, (_, i) => push(`push ${i}`))
    tokens.push(libos.sync(qd), libos.syncVolume())
    disk.reclaim(grant)
    const ends = await Promise.all(tokens.map((token) => runtime.completion(token)))
    expect(new Set(ends.map((end) => (end.kind === 'failed' ? end.code : end.kind)))).toEqual(new Set(['ECANCELED']))
    expect(await runtime.completion(push('too late'))).toMatchObject({ kind: 'failed', code: 'ECANCELED' })
    expect(runtime.strays).toBe(0)
    await libos.shutdown().catch(() => {})
    expect(runtime.outstanding).toBe(0)
    expect(pool.report()).toBe('')
    await disk.close()
    loop.stop()
  })
  it('fails what comes to persistent memory', async () => {
    const { loop, pool, runtime, disk } = rig()
    const memory = new EmulatedPersistentMemory({ size: 16 << 20 })
    const grant = memory.grant({ byteOffset: 0, byteLength: 16 << 20 })
    const persistent = await attachPersistentRegion(grant, { clock })
    const context = { loop, runtime, pool, block: undefined, persistent, partition: 0, partitions: 1 }
    const libos = await storageLibos.create({}, context)
    const qd = libos.creat('/file')
    memory.reclaim(grant)
    const sga = sgaFromText(pool, 'too late')
    const push = libos.push(qd, sga)
    sga.free()
    expect(await runtime.completion(push)).toMatchObject({ kind: 'failed', code: 'ECANCELED' })
    await libos.shutdown().catch(() => {})
    expect(pool.report()).toBe('')
    await disk.close()
    await memory.close()
    loop.stop()
  })
})
