/**
 * Random fill, random reads and scans of this database on io_uring and of classic-level, on files of one file system. Both are driven
 * through abstract-level, so that the same work above costs the same. `TMPDIR` says on which file system. classic-level reads through
 * the page cache of the kernel, which has all of its data; ours reads past it, and has a cache of the same data in one case and a small one
 * in the other.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { probeIoUring } from '@parakernel/linux'
import { benchCases } from '@parakernel/tool-bench'
import { ClassicLevel } from 'classic-level'
import { ParakernelLevel } from '../src/index.ts'

const KEYS = 20_000
const READS = 20_000
const BATCH = 100
const VALUE = Buffer.alloc(100, 7)
const MiB = 1 << 20
const DURABLE = { sync: true }
const BUFFERED = { sync: false }

/** What is measured of both is what both have; the typings of the one know `sync`. */
type Database = ClassicLevel<string, Uint8Array>
type Open = (folder: string) => Database

const ours =
  (cacheBytes: number): Open =>
  (folder) =>
    new ParakernelLevel<string, Uint8Array>({
      backend: 'io-uring',
      path: join(folder, 'db.img'),
      size: 32 * MiB,
      valueEncoding: 'view',
      cacheBytes,
      initialize: true,
    }) as unknown as Database

const engines: Readonly<Record<string, Open>> = {
  parakernel: ours(16 * MiB),
  'parakernel (cache of 256 KiB)': ours(MiB / 4),
  'classic-level': (folder) =>
    new ClassicLevel<string, Uint8Array>(join(folder, 'level'), { valueEncoding: 'view', compression: false }),
}

/** Every key once, in an order that looks random. */
const keyOf = (i: number) => `user:${String((i * 7919) % KEYS).padStart(12, '0')}`

interface Work {
  /** Whether the database is filled before. */
  readonly filled: boolean
  /** Returns the operations. */
  run(db: Database): Promise<number>
}

const works: Readonly<Record<string, Work>> = {
  'fill by batches of 100, buffered': { filled: false, run: (db) => fill(db, false) },
  'fill by batches of 100, durable': { filled: false, run: (db) => fill(db, true) },
  'durable puts, 64 at a time': {
    filled: false,
    run: (db) => each(4000, 64, (i) => db.put(keyOf(i), VALUE, DURABLE)),
  },
  'random get, one at a time': { filled: true, run: (db) => each(READS / 4, 1, (i) => db.get(keyOf(i * 31))) },
  'random get, 32 at a time': { filled: true, run: (db) => each(READS, 32, (i) => db.get(keyOf(i * 31))) },
  'random getSync': {
    filled: true,
    run: async (db) => {
      for (let i = 0; i < READS; i++) db.getSync(keyOf(i * 31))
      return READS
    },
  },
  'random getMany of 100': {
    filled: true,
    run: async (db) => {
      for (let i = 0; i < READS; i += BATCH) {
        await db.getMany(Array.from({ length: BATCH }, (_, k) => keyOf((i + k) * 31)))
      }
      return READS
    },
  },
  'scan by 1000': {
    filled: true,
    run: async (db) => {
      const iterator = db.iterator()
      let entries = 0
      for (;;) {
        const some = await iterator.nextv(1000)
        if (some.length === 0) break
        entries += some.length
      }
      await iterator.close()
      return entries
    },
  },
}

async function fill(db: Database, sync: boolean): Promise<number> {
  for (let i = 0; i < KEYS; i += BATCH) {
    const operations = Array.from({ length: BATCH }, (_, k) => ({
      type: 'put' as const,
      key: keyOf(i + k),
      value: VALUE,
    }))
    await db.batch(operations, sync ? DURABLE : BUFFERED)
  }
  return KEYS
}

async function each(count: number, abreast: number, one: (i: number) => Promise<unknown>): Promise<number> {
  let next = 0
  const worker = async () => {
    while (next < count) await one(next++)
  }
  await Promise.all(Array.from({ length: abreast }, worker))
  return count
}

async function measure(open: Open, { filled, run }: Work): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'pk-level-'))
  try {
    let db = open(folder)
    if (filled) {
      await fill(db, false)
      await db.close()
      db = open(folder)
    }
    await db.open()
    if (filled) await run(db)
    const start = performance.now()
    const operations = await run(db)
    const rate = operations / ((performance.now() - start) / 1000)
    await db.close()
    return rate
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const cases = Object.entries(works).flatMap(([work, what]) =>
  Object.entries(engines).map(([name, open]) => [`${name}: ${work}`, () => measure(open, what)] as const),
)

await benchCases(
  import.meta,
  {
    title: 'key-value records through abstract-level',
    unit: 'operations/s',
    better: 'more',
    baseline: (name) => name.replace(/^[^:]*:/, 'classic-level:'),
    unavailable: (name) => {
      const ring = probeIoUring()
      return name.startsWith('parakernel') && !ring.available ? ring.missing : undefined
    },
  },
  Object.fromEntries(cases),
)
