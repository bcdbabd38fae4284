/**
 * Appends that are durable when they are acknowledged, on files of one file system: the log on io_uring, lmdb and classic-level, each
 * with synchronous writes. A writer waits for its record before it makes the next. `TMPDIR` says on which file system.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { probeIoUring } from '@parakernel/linux'
import { benchCases } from '@parakernel/tool-bench'
import { makeLog, openLog } from '../src/index.ts'
import { openRealMedium } from '../test/support/real-media.ts'

const MS = 500
const SIZES = [100, 1024, 4096, 16_384, 65_536]
const WRITERS = [1, 64]
const RING = 96 << 20

/** One durable append. */
type Append = (bytes: Uint8Array) => Promise<unknown>
type Open = (folder: string) => Promise<{ append: Append; close(): Promise<unknown> }>

const log: Open = async (folder) => {
  const { medium, close } = await openRealMedium({
    kind: 'io-uring',
    path: join(folder, 'log'),
    size: RING,
    frames: 192,
    frameSize: 65_536,
  })
  await makeLog(medium, { recordLimit: 1 << 20, initialize: true })
  const one = await openLog(medium, { groupLimit: 4 << 20, trim: false })
  let cut: Promise<void> | undefined
  const append: Append = async (bytes) => {
    if (one.usedBytes > RING / 4) {
      cut ??= one.truncate(one.next - 100).then(() => {
        cut = undefined
      })
    }
    return one.write(bytes)
  }
  return {
    append,
    close: async () => {
      await cut
      await one.close()
      await close()
    },
  }
}

const lmdb: Open = async (folder) => {
  const { open } = await import('lmdb')
  const db = open({ path: join(folder, 'lmdb'), encoding: 'binary', keyEncoding: 'uint32', overlappingSync: false })
  let key = 0
  return { append: (bytes) => db.put(++key, bytes), close: () => db.close() }
}

const classicLevel: Open = async (folder) => {
  const { ClassicLevel } = await import('classic-level')
  const db = new ClassicLevel<string, Uint8Array>(join(folder, 'level'), { valueEncoding: 'view', compression: false })
  await db.open()
  let key = 0
  return {
    append: (bytes) => db.put(String(++key).padStart(12, '0'), bytes, { sync: true }),
    close: () => db.close(),
  }
}

async function measure(open: Open, size: number, writers: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'pk-durable-'))
  try {
    const { append, close } = await open(folder)
    const bytes = Buffer.alloc(size, 7)
    const round = async (ms: number) => {
      let appended = 0
      const end = performance.now() + ms
      const writer = async () => {
        while (performance.now() < end) {
          await append(bytes)
          appended++
        }
      }
      const start = performance.now()
      await Promise.all(Array.from({ length: writers }, writer))
      return appended / ((performance.now() - start) / 1000)
    }
    await round(MS / 4)
    const rate = await round(MS)
    await close()
    return rate
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const engines = { log, lmdb, 'classic-level': classicLevel }
const cases = SIZES.flatMap((size) =>
  WRITERS.flatMap((writers) =>
    Object.entries(engines).map(
      ([name, open]) =>
        [
          `${name}, ${size} B, ${writers === 1 ? '1 writer' : `${writers} writers`}`,
          () => measure(open, size, writers),
        ] as const,
    ),
  ),
)

await benchCases(
  import.meta,
  {
    title: 'durable appends',
    unit: 'records/s',
    better: 'more',
    baseline: (name) => name.replace(/^[^,]*,/, 'log,'),
    unavailable: (name) => {
      const ring = probeIoUring()
      return name.startsWith('log') && !ring.available ? ring.missing : undefined
    },
  },
  Object.fromEntries(cases),
)
