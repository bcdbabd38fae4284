import type { FramePool } from '@parakernel/hal'
import { sgaFromBytes } from '@parakernel/queue'
import { describe, expect, it } from 'vitest'
import { type Log, makeLog, openLog } from '../src/index.ts'
import { plainMemory } from './support/crash.ts'
import { createPersistentRig, createRig, type Rig, type RigOptions } from './support/rig.ts'

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const bytes = (s: string) => new TextEncoder().encode(s)

const kinds: readonly [string, (options?: RigOptions) => Rig][] = [
  ['blocks', (options = {}) => createRig({ blocks: 256, blockSize: 512, volatileCache: true, ...options })],
  ['persistent memory', (options = {}) => createPersistentRig(131_072, options, plainMemory)],
]

async function opened(rig: Rig, run: (log: Log) => Promise<void>): Promise<void> {
  await rig.run(async () => {
    await makeLog(rig.medium)
    const log = await openLog(rig.medium)
    await run(log)
    await log.close()
  })
}

describe.for(kinds)('a log on %s', ([kind, create]) => {
  it('appends, reads, and is there again after it was closed', async () => {
    const rig = create()
    await opened(rig, async (log) => {
      expect(log.next).toBe(1)
      for (let i = 1; i <= 100; i++) expect(await log.write(bytes(`record ${i} ${'x'.repeat(i * 3)}`))).toBe(i)
      expect(log.durable).toBe(101)
      expect(text(await log.read(57))).toMatch(/^record 57 x+$/)
      const seen: string[] = []
      for await (const record of log.scan(98)) seen.push(text(record.bytes).slice(0, 10))
      expect(seen).toEqual(['record 98 ', 'record 99 ', 'record 100'])
    })
    await rig.run(async () => {
      const again = await openLog(rig.medium)
      expect(again.recovery).toEqual({ clean: true, records: 100, tornBytes: 0, lost: [] })
      expect(again.next).toBe(101)
      expect(again.epoch).toBe(2)
      expect(text(await again.read(1))).toBe('record 1 xxx')
      await again.close()
      await again.close()
    })
    expect(rig.pool.available).toBe(rig.pool.frameCount)
  })

  it('many more writers than may wait take turns', async () => {
    // Groups so large that a flush of its own follows each: writers find all places taken by records that wait for it.
    const rig =
      kind === 'blocks' ? createRig({ blocks: 4096, blockSize: 4096, volatileCache: true, latency: 20_000 }) : create()
    const length = kind === 'blocks' ? 20_000 : 20
    await rig.run(async () => {
      await makeLog(rig.medium)
      const log = await openLog(rig.medium, { maxPending: 16 })
      const writes = Array.from({ length: 200 }, (_, i) => log.write(new Uint8Array(length).fill(i)))
      const sequences = await Promise.all(writes)
      expect(new Set(sequences).size).toBe(200)
      await log.close()
    })
  })

  it('finds a record by its position, and stops a visit that asks for it', async () => {
    await opened(create(), async (log) => {
      const positions: number[] = []
      for (let i = 0; i < 40; i++) {
        await log.write(bytes(`${i}`.padEnd(i * 20, '.')))
        positions.push(log.lastPosition)
      }
      for (let i = 0; i < 40; i++) {
        const record = await log.readAt(positions[i])
        expect(record.sequence).toBe(i + 1)
        expect(text(record.bytes)).toBe(`${i}`.padEnd(i * 20, '.'))
      }
      let visited = 0
      const fiveOnly = (sequence: number) => {
        visited++
        return sequence < 5
      }
      expect(await log.visit(fiveOnly)).toBe(5)
      expect(visited).toBe(5)
      expect(await log.visit(() => true, 10, 13)).toBe(3)
      await expect(log.read(41)).rejects.toMatchObject({ code: 'ENOENT' })
    })
  })

  it('completes by level, in order, each callback once', async () => {
    const rig = create()
    await opened(rig, async (log) => {
      const calls: string[] = []
      const done = (status: number, sequence: number, cookie: number) => calls.push(`${sequence}:${cookie}:${status}`)
      expect(log.append(bytes('a'), 'flushed', done, 7)).toBe(1)
      expect(log.append(bytes('b'), 'buffered', done, 8)).toBe(2)
      expect(log.append(bytes('c'), 'fua', done, 9)).toBe(3)
      expect(calls).toEqual([])
      await log.sync()
      expect(calls).toEqual(['2:8:0', '1:7:0', '3:9:0'])
    })
  })

  it('writes one group for all that wait', async () => {
    await opened(create(), async (log) => {
      await Promise.all(Array.from({ length: 64 }, (_, i) => log.write(bytes(`writer ${i}`))))
      const { groups, flushes, appended } = log.counters.snapshot()
      expect(appended).toBe(64)
      expect(groups).toBeLessThanOrEqual(2)
      expect(flushes).toBeLessThanOrEqual(2)
    })
  })

  it('takes records of any size up to its limit, and refuses longer ones', async () => {
    await opened(create({ frames: 128 }), async (log) => {
      const sizes = [0, 1, 7, 8, 479, 480, 481, 511, 512, 4063, 4064, 4096, 10_000, log.recordLimit]
      for (const size of sizes) {
        const sent = Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) & 255)
        const sequence = await log.write(sent)
        expect(Buffer.compare(await log.read(sequence), sent), `${size}`).toBe(0)
        await log.truncate(sequence)
      }
      expect(log.append(new Uint8Array(log.recordLimit + 1))).toBe(-90)
      await expect(log.write(new Uint8Array(log.recordLimit + 1))).rejects.toMatchObject({ code: 'EMSGSIZE' })
    })
  })

  it('is full at some time, and has room again after a truncation, round and round', async () => {
    const rig = create()
    await opened(rig, async (log) => {
      let written = 0
      for (let lap = 0; lap < 5; lap++) {
        for (;;) {
          const sequence = log.append(new Uint8Array(900).fill(written & 255))
          if (sequence === -28) break
          if (sequence === -11) await log.sync()
          else written = sequence
        }
        await expect(log.write(new Uint8Array(900))).rejects.toMatchObject({ code: 'ENOSPC' })
        await log.truncate(log.next - 3)
        expect(log.first).toBe(written - 2)
        await expect(log.read(written - 3)).rejects.toMatchObject({ code: 'ENOENT' })
        expect((await log.read(written))[0]).toBe((written - 1) & 255)
      }
      const counters = log.counters.snapshot()
      expect(counters.truncated).toBe(written - 3)
      if (kind === 'blocks') expect(counters.recycledBytes).toBeGreaterThan(log.capacityBytes)
    })
  })

  it('takes arrays of several segments, and bytes of the region', async () => {
    const rig = create()
    await opened(rig, async (log) => {
      const { pool } = rig
      const sga = sgaFromBytes(pool, new Uint8Array(9000).fill(3))
      const first = log.appendSga(sga)
      sga.free()
      const frame = pool.allocate()
      pool.copyIn(pool.address(frame) + 5, bytes('in the region'))
      const second = log.appendRegion(pool.address(frame) + 5, 13)
      pool.release(frame)
      await log.sync()
      expect((await log.read(first)).every((byte) => byte === 3)).toBe(true)
      expect(text(await log.read(second))).toBe('in the region')
    })
    expect(rig.pool.available).toBe(rig.pool.frameCount)
  })

  it('refuses what comes after close', async () => {
    const rig = create()
    let log: Log | undefined
    await opened(rig, async (one) => {
      log = one
      await one.write(bytes('last'))
    })
    const closed = log as Log
    expect(closed.append(bytes('late'))).toBe(-9)
    await rig.run(async () => {
      await expect(closed.write(bytes('late'))).rejects.toMatchObject({ code: 'EBADF' })
      await expect(closed.read(1)).rejects.toMatchObject({ code: 'EBADF' })
      await expect(closed.truncate(1)).rejects.toMatchObject({ code: 'EBADF' })
    })
  })
})

it('a log on persistent memory lets go of the memory when its medium is closed', async () => {
  const rig = createPersistentRig(65_536, {}, plainMemory)
  await rig.run(async () => {
    await makeLog(rig.medium)
    const log = await openLog(rig.medium)
    const statuses: number[] = []
    log.append(bytes('stored'), 'flushed', (status) => statuses.push(status))
    rig.medium.close()
    expect(log.append(bytes('late'))).toBe(-9)
    log.commit()
    expect(statuses).toEqual([-125])
    expect(log.failure).toMatchObject({ code: 'ECANCELED' })
  })
})

describe('a frame as it was received', () => {
  const place = (pool: FramePool, offset: number, payload: Uint8Array) => {
    const frame = pool.allocate()
    pool.bytes.fill(0xaa, pool.address(frame), pool.address(frame) + pool.frameSize)
    pool.copyIn(pool.address(frame) + offset, payload)
    return frame
  }

  it('becomes blocks of the log without a copy, and is held until they are written', async () => {
    const rig = createRig({ blocks: 512, blockSize: 512, volatileCache: true })
    await opened(rig, async (log) => {
      const { pool } = rig
      const copied = log.counters.snapshot().copiedBytes
      const expected: string[] = []
      for (let i = 0; i < 8; i++) {
        // Ethernet, IPv4 and UDP behind the usual headroom; of TCP with timestamps; and of odd lengths.
        const offset = [304, 328, 317, 64][i % 4]
        const payload = `frame ${i} ${'y'.repeat(i * 100)}`
        const frame = place(pool, offset, bytes(payload))
        const sequence = log.appendFrame(frame, offset, payload.length)
        expect(sequence).toBe(expected.push(payload))
        expect(pool.count(frame)).toBe(2)
        pool.release(frame)
        if (i % 3 === 0) expected.push(`${log.append(bytes('between'))}`)
      }
      await log.sync()
      const { framesInPlace, framesCopied, copiedBytes, writtenBytes, appendedBytes } = log.counters.snapshot()
      expect([framesInPlace + framesCopied, framesCopied]).toEqual([8, 0])
      // The records between were copied, and the blocks that they did not fill.
      expect(copiedBytes - copied).toBeLessThan(3 * (20 + 2 * 512))
      expect(writtenBytes / appendedBytes).toBeGreaterThan(1)
    })
    expect(rig.pool.available).toBe(rig.pool.frameCount)
  })

  it('is read back as it was, among other records', async () => {
    const rig = createRig({ blocks: 512, blockSize: 4096, frames: 64, frameSize: 8192 })
    await opened(rig, async (log) => {
      const expected: string[] = []
      for (let i = 0; i < 30; i++) {
        const payload = `${i} ${'z'.repeat((i * 377) % 3000)}`
        expected.push(payload)
        if (i % 2 === 0) await log.write(bytes(payload))
        else {
          const frame = place(rig.pool, 304, bytes(payload))
          log.appendFrame(frame, 304, payload.length)
          rig.pool.release(frame)
          if (i % 4 === 3) await log.sync()
        }
      }
      const found: string[] = []
      for await (const record of log.scan()) found.push(text(record.bytes))
      expect(found).toEqual(expected)
      expect((await log.scrub()).lost).toEqual([])
    })
  })

  it('is copied when it is shared or has no room for the header, and counted', async () => {
    const rig = createRig({ blocks: 512, blockSize: 512 })
    await opened(rig, async (log) => {
      const { pool } = rig
      const shared = place(pool, 304, bytes('shared'))
      pool.retain(shared)
      log.appendFrame(shared, 304, 6)
      pool.release(shared)
      pool.release(shared)
      const tight = place(pool, 10, bytes('tight'))
      log.appendFrame(tight, 10, 5)
      pool.release(tight)
      expect(log.appendFrame(tight, 10, 5)).toBe(-22)
      await log.sync()
      expect(log.counters.snapshot().framesCopied).toBe(2)
      expect(text(await log.read(1))).toBe('shared')
      expect(text(await log.read(2))).toBe('tight')
    })
  })
})

describe('an image that is not the one', () => {
  it('is refused with its name and a remedy, and not written', async () => {
    const rig = createRig({ blocks: 128, blockSize: 512, volatileCache: false })
    await rig.run(async () => {
      await expect(openLog(rig.medium)).rejects.toMatchObject({ code: 'EINVAL', remedy: expect.any(String) })
      await makeLog(rig.medium)
      await expect(makeLog(rig.medium)).rejects.toMatchObject({ code: 'EEXIST' })
    })
    const { media } = rig.disk
    const good = media.slice()
    const attempt = async (edit: (bytes: Uint8Array) => void, code: string) => {
      media.set(good)
      edit(media)
      const before = media.slice()
      await rig.run(() => expect(openLog(rig.medium)).rejects.toMatchObject({ code }))
      expect(Buffer.compare(before, media)).toBe(0)
    }
    await attempt((b) => b.fill(0, 0, 8), 'EINVAL')
    await attempt((b) => b.fill(0xff, 100, 110), 'EUCLEAN')
    await attempt((b) => b.fill(0xff, 512 + 20, 1536), 'EUCLEAN')
    const small = createRig({ blocks: 64, blockSize: 512, volatileCache: false })
    small.disk.media.set(good.subarray(0, 64 * 512))
    await small.run(() => expect(openLog(small.medium)).rejects.toMatchObject({ code: 'EINVAL' }))
    const other = createRig({ blocks: 16, blockSize: 4096, volatileCache: false })
    other.disk.media.set(good)
    await other.run(() => expect(openLog(other.medium)).rejects.toMatchObject({ code: 'EINVAL' }))
    const tiny = createRig({ blocks: 4, blockSize: 512 })
    await tiny.run(() => expect(makeLog(tiny.medium)).rejects.toMatchObject({ code: 'EINVAL' }))
  })
})
