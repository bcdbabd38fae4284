import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmulatedDisk, EmulatedPersistentMemory } from '@parakernel/emulated'
import {
  attachBlockQueue,
  attachPersistentRegion,
  type BlockDevice,
  type BlockQueue,
  type BlockQueueGrant,
  type FramePool,
  MonotonicClock,
  type PersistentDevice,
  type PersistentGrant,
  type PersistentRegion,
} from '@parakernel/hal'
import { blockBackend as ioUring } from '@parakernel/io-uring'
import { persistentBackend as pmem } from '@parakernel/pmem'

const clock = new MonotonicClock()
const context = { clock }
/** Memory that looks like a disk, where the host has it. */
const SHARED_MEMORY = '/dev/shm'

export interface Attached {
  readonly block: BlockQueue | undefined
  readonly persistent: PersistentRegion | undefined
}

/** What a libOS stands on in a test: attached again and again, by one libOS at a time. */
export interface Media {
  attach(pool: FramePool): Promise<Attached>
  /** Power fails; what was not stable survives or does not. */
  powerCut?(): void
  close(): Promise<void>
}

export interface MediaKind {
  readonly name: string
  /** Why it cannot be had here. */
  readonly missing: string | undefined
  readonly powerCut: boolean
  open(bytes: number): Promise<Media>
}

let cuts = 0
/** A number below 1 for every call, that a run repeats. */
function random(): number {
  cuts = (Math.imul(cuts, 1_664_525) + 1_013_904_223) | 0
  return (cuts >>> 8) / 2 ** 24
}

class BlockMedia implements Media {
  readonly #device: BlockDevice
  readonly #done: () => void
  #grant: BlockQueueGrant | undefined
  readonly powerCut?: () => void

  constructor(device: BlockDevice, done: () => void = () => {}) {
    this.#device = device
    this.#done = done
    if (device instanceof EmulatedDisk) this.powerCut = () => device.powerCut(random)
  }

  async attach(pool: FramePool): Promise<Attached> {
    if (this.#grant !== undefined) this.#device.reclaim(this.#grant)
    const blocks = this.#device.namespaces.get(1) ?? 0
    this.#grant = this.#device.grant(0, { namespace: 1, firstLba: 0, blocks }, pool.window)
    return { block: await attachBlockQueue(this.#grant, { pool, ...context }), persistent: undefined }
  }

  async close(): Promise<void> {
    await this.#device.close()
    this.#done()
  }
}

class PersistentMedia implements Media {
  readonly #device: PersistentDevice
  readonly #done: () => void
  #grant: PersistentGrant | undefined
  readonly powerCut?: () => void

  constructor(device: PersistentDevice, done: () => void = () => {}) {
    this.#device = device
    this.#done = done
    if (device instanceof EmulatedPersistentMemory) this.powerCut = () => device.powerCut(random)
  }

  async attach(): Promise<Attached> {
    if (this.#grant !== undefined) this.#device.reclaim(this.#grant)
    this.#grant = this.#device.grant({ byteOffset: 0, byteLength: this.#device.byteLength })
    return { block: undefined, persistent: await attachPersistentRegion(this.#grant, context) }
  }

  async close(): Promise<void> {
    await this.#device.close()
    this.#done()
  }
}

const emulatedDisk: MediaKind = {
  name: 'the emulated disk',
  missing: undefined,
  powerCut: true,
  async open(bytes) {
    const blockSize = 512
    // Done when it is submitted, in any order: what the engine must not rely on.
    return new BlockMedia(
      new EmulatedDisk({ clock, blockSize, media: new Uint8Array(bytes), queueDepth: 64, reorder: true, seed: 3 }),
    )
  },
}

const emulatedPersistent: MediaKind = {
  name: 'emulated persistent memory',
  missing: undefined,
  powerCut: true,
  open: async (bytes) => new PersistentMedia(new EmulatedPersistentMemory({ size: bytes })),
}

function missingOf(probe: ReturnType<typeof ioUring.probe>): string | undefined {
  return probe.available ? undefined : probe.missing
}

function temporary(): { readonly path: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(existsSync(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), 'parakernel-storage-'))
  return { path: join(folder, 'image'), remove: () => rmSync(folder, { recursive: true, force: true }) }
}

const ioUringFile: MediaKind = {
  name: 'io-uring on a file',
  missing: missingOf(ioUring.probe(context)),
  powerCut: false,
  async open(bytes) {
    const { path, remove } = temporary()
    return new BlockMedia(await ioUring.open({ path, size: bytes, blockSize: 4096 }, context), remove)
  },
}

const pmemFile: MediaKind = {
  name: 'pmem on a file in memory',
  missing: missingOf(pmem.probe(context)),
  powerCut: false,
  async open(bytes) {
    const { path, remove } = temporary()
    return new PersistentMedia(
      await pmem.open({ path, size: bytes, force: true, granularity: 'cache-line' }, context),
      remove,
    )
  },
}

export const mediaKinds: readonly MediaKind[] = [emulatedDisk, emulatedPersistent, ioUringFile, pmemFile]
