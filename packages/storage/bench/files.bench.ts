/**
 * Files of a volume on io_uring beside files of node:fs, on one file system. Reads of node:fs go past the page cache, as those of the
 * ring do; what is written counts when an fsync behind it is done. `TMPDIR` says on which file system.
 */
import { constants, promises as fs, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { wasm } from '@parakernel/hal'
import { probeIoUring } from '@parakernel/linux'
import { benchCases } from '@parakernel/tool-bench'
import { FileOperation, makeVolume, mountVolume, type Volume, type VolumeFile } from '../src/index.ts'
import { openRealMedium } from '../test/support/real-media.ts'

const MS = 800
const LENGTH = 64 << 20
const MIB = 1 << 20

/** What is measured, over one open file of `LENGTH` bytes that is there in full. */
interface Party {
  read(slot: number, position: number, length: number): Promise<unknown>
  write(slot: number, position: number, length: number): Promise<unknown>
  fsync(): Promise<unknown>
  create(name: string): Promise<unknown> | unknown
  unlink(name: string): Promise<unknown> | unknown
  settle(): Promise<unknown>
  close(): Promise<unknown>
}

async function openParty(folder: string): Promise<Party> {
  const { medium, close } = await openRealMedium({
    kind: 'io-uring',
    path: join(folder, 'volume'),
    size: 192 << 20,
    frames: 1024,
    frameSize: 16_384,
  })
  await makeVolume(medium)
  const volume: Volume = await mountVolume(medium, { cacheSize: 4 << 20 })
  const file: VolumeFile = volume.open('/file', { write: true, create: true })
  const { pool } = medium
  const slots: number[][] = Array.from({ length: 33 }, () => [])
  const run = (what: 'read' | 'write', slot: number, position: number, length: number) => {
    const frames = slots[slot]
    while (frames.length * pool.frameSize < length) frames.push(pool.allocate())
    return new Promise<void>((resolve, reject) => {
      const operation = new FileOperation(({ status }) => {
        if (status === 0) resolve()
        else reject(new Error(`status ${status}`))
      }, frames.length)
      operation.begin(position)
      for (let at = 0, i = 0; at < length; at += pool.frameSize, i++) {
        operation.add(frames[i], 0, Math.min(pool.frameSize, length - at))
      }
      file[what](operation)
    })
  }
  const sync = () => new Promise<void>((resolve) => volume.sync(() => resolve()))
  for (let at = 0; at < LENGTH; at += MIB) await run('write', 0, at, MIB)
  await sync()
  return {
    read: (slot, position, length) => run('read', slot, position, length),
    write: (slot, position, length) => run('write', slot, position, length),
    fsync: sync,
    create: (name) => volume.open(`/${name}`, { create: true }).close(),
    unlink: (name) => volume.unlink(`/${name}`),
    settle: sync,
    close: async () => {
      file.close()
      await volume.close()
      await close()
    },
  }
}

async function openNode(folder: string): Promise<Party> {
  const path = join(folder, 'file')
  await fs.writeFile(path, Buffer.alloc(LENGTH, 7))
  const written = await fs.open(path, 'r+')
  await written.sync()
  const direct = await fs.open(path, constants.O_RDONLY | constants.O_DIRECT)
  const names = join(folder, 'names')
  mkdirSync(names)
  // Memory of WebAssembly begins on a page, as direct reads need it.
  const memory = new wasm.Memory({ initial: 33 * 16, maximum: 33 * 16, shared: true })
  const buffers = Array.from({ length: 33 }, (_, i) => Buffer.from(memory.buffer as ArrayBuffer, i * MIB, MIB))
  return {
    read: (slot, position, length) => direct.read(buffers[slot], 0, length, position),
    write: (slot, position, length) => written.write(buffers[slot], 0, length, position),
    fsync: () => written.datasync(),
    create: async (name) => (await fs.open(join(names, name), 'w')).close(),
    unlink: (name) => fs.unlink(join(names, name)),
    settle: () => written.datasync(),
    close: async () => {
      await direct.close()
      await written.close()
    },
  }
}

const parties = { volume: openParty, 'node:fs': openNode }

/** Operations a second of `depth` workers, each of which makes one after the other. */
async function rate(
  depth: number,
  one: (worker: number) => Promise<unknown>,
  end?: () => Promise<unknown>,
): Promise<number> {
  let done = 0
  const start = performance.now()
  const worker = async (slot: number) => {
    while (performance.now() - start < MS) {
      await one(slot)
      done++
    }
  }
  await Promise.all(Array.from({ length: depth }, (_, i) => worker(i)))
  await end?.()
  return done / ((performance.now() - start) / 1000)
}

const random = () => Math.floor(Math.random() * (LENGTH / 4096)) * 4096

const workloads: Readonly<Record<string, (party: Party) => Promise<number>>> = {
  'read 4 KiB at random, 1 at a time': (party) => rate(1, (slot) => party.read(slot, random(), 4096)),
  'read 4 KiB at random, 32 at a time': (party) => rate(32, (slot) => party.read(slot, random(), 4096)),
  'read 1 MiB in order': (party) => {
    let at = 0
    return rate(1, (slot) => {
      at = (at + MIB) % LENGTH
      return party.read(slot, at, MIB)
    })
  },
  'write 4 KiB at random, 32 at a time, one fsync': (party) =>
    rate(
      32,
      (slot) => party.write(slot, random(), 4096),
      () => party.fsync(),
    ),
  'write 1 MiB in order, one fsync': (party) => {
    let at = 0
    return rate(
      1,
      (slot) => {
        at = (at + MIB) % LENGTH
        return party.write(slot, at, MIB)
      },
      () => party.fsync(),
    )
  },
  'write 4 KiB at random, fsync each': (party) =>
    rate(1, async (slot) => {
      await party.write(slot, random(), 4096)
      await party.fsync()
    }),
  'create and unlink': (party) => {
    let n = 0
    return rate(
      1,
      async () => {
        const name = `name${n++}`
        await party.create(name)
        await party.unlink(name)
        if (n % 64 === 0) await party.settle()
      },
      () => party.settle(),
    )
  },
}

async function measure(open: (folder: string) => Promise<Party>, workload: (party: Party) => Promise<number>) {
  const folder = mkdtempSync(join(tmpdir(), 'pk-files-'))
  try {
    const party = await open(folder)
    const value = await workload(party)
    await party.close()
    return value
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

await benchCases(
  import.meta,
  {
    title: 'files of a volume',
    unit: 'operations/s',
    better: 'more',
    baseline: (name) => name.replace(/^volume:/, 'node:fs:'),
    unavailable: (name) => {
      const ring = probeIoUring()
      return name.startsWith('volume') && !ring.available ? ring.missing : undefined
    },
  },
  Object.fromEntries(
    Object.entries(workloads).flatMap(([what, workload]) =>
      Object.entries(parties).map(([name, open]) => [`${name}: ${what}`, () => measure(open, workload)] as const),
    ),
  ),
)
