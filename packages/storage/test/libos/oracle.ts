import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { storageLibos } from '@parakernel/host'
import { RunLoop } from '@parakernel/kernel'
import type { FsxParty } from '@parakernel/libos-conformance'
import { createQueueRuntime } from '@parakernel/queue'

/** In memory where the host has such a folder: its file system is what is asked, not its disk. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** The file system of the host, in a folder of its own. */
export async function hostVolume(): Promise<FsxParty> {
  const path = mkdtempSync(join(FOLDER, 'parakernel-oracle-'))
  const loop = new RunLoop()
  loop.start()
  const pool = new FramePool(createPlainWindow(512, { frameSize: 4096 }))
  const context = { loop, runtime: createQueueRuntime(loop), pool, partition: 0, partitions: 1 }
  const reopen = () => storageLibos.create({ path }, { ...context, block: undefined, persistent: undefined })
  return {
    libos: await reopen(),
    reopen,
    async close() {
      loop.stop()
      rmSync(path, { recursive: true })
    },
  }
}
