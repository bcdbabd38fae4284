import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import type { FsxParty } from '@parakernel/libos-conformance'
import { createQueueRuntime, type StorageLibOS } from '@parakernel/queue'
import { storageLibos } from '../../src/index.ts'

/** In memory where the host has such a folder: nothing here asks for a disk. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** A volume in a folder of its own, changed by `plant` in a way that a test is to find. */
export async function hostVolume(plant: (libos: StorageLibOS) => StorageLibOS = (libos) => libos): Promise<FsxParty> {
  const path = mkdtempSync(join(FOLDER, 'parakernel-fsx-'))
  const loop = new RunLoop()
  loop.start()
  const pool = new FramePool(createPlainWindow(512))
  const context = { loop, runtime: createQueueRuntime(loop), pool, partition: 0, partitions: 1 }
  const open = async () =>
    plant(await storageLibos.create({ path }, { ...context, block: undefined, persistent: undefined }))
  return {
    libos: await open(),
    reopen: open,
    async close() {
      loop.stop()
      rmSync(path, { recursive: true })
    },
  }
}

/** The libOS with some of its calls exchanged. */
export function withCalls(libos: StorageLibOS, calls: Partial<StorageLibOS>): StorageLibOS {
  return new Proxy(libos, {
    get(target, name) {
      const call = (calls as Record<PropertyKey, unknown>)[name]
      if (call !== undefined) return call
      const value = (target as unknown as Record<PropertyKey, unknown>)[name]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
