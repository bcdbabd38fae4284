import { mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BackendContext, MonotonicClock, type PersistentRegion } from '@parakernel/hal'
import { type PmemDevice, type PmemOptions, persistentBackend } from '@parakernel/pmem'
import type { TestContext } from 'vitest'

const TMPFS = 0x01021994

/** Folders, files and devices of one test; `close` removes all of them. */
export class Testbed {
  readonly warnings: string[] = []
  readonly context: BackendContext = { clock: new MonotonicClock(), warn: (message) => this.warnings.push(message) }
  readonly #folders: string[] = []
  readonly #devices: PmemDevice[] = []

  constructor(test: TestContext) {
    const able = persistentBackend.probe(this.context)
    if (!able.available) test.skip(able.missing)
  }

  /** A path on tmpfs, and one on the file system of temporary files, whichever that is. */
  memoryPath(name = 'region'): string {
    return join(this.#folder('/dev/shm'), name)
  }

  diskPath(name = 'region'): string {
    return join(this.#folder(tmpdir()), name)
  }

  async open(options: PmemOptions): Promise<PmemDevice> {
    const device = (await persistentBackend.open(options, this.context)) as PmemDevice
    this.#devices.push(device)
    return device
  }

  attach(device: PmemDevice, byteOffset = 0, byteLength = device.byteLength - byteOffset): PersistentRegion {
    return persistentBackend.attach(device.grant({ byteOffset, byteLength }), this.context) as PersistentRegion
  }

  async close(): Promise<void> {
    for (const device of this.#devices) await device.close()
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true })
  }

  #folder(parent: string): string {
    const folder = mkdtempSync(join(parent, 'pk-pmem-'))
    this.#folders.push(folder)
    return folder
  }
}

/** Skips the test where temporary files are in memory, or on a file system of which nothing is known. */
export function requiresDisk(test: TestContext): void {
  const { type } = statfsSync(tmpdir())
  if (type === TMPFS) test.skip('temporary files are on tmpfs')
}
