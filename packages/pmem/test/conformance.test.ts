import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MonotonicClock } from '@parakernel/hal'
import { persistentDeviceConformance } from '@parakernel/hal-conformance'
import { type PmemOptions, persistentBackend } from '@parakernel/pmem'

const context = { clock: new MonotonicClock() }

/** The suite on a file in a folder of its own below `parent`. */
function suite(name: string, parent: string, options: Omit<PmemOptions, 'path'>): void {
  persistentDeviceConformance({
    name,
    setup: async () => {
      const folder = mkdtempSync(join(parent, 'pk-pmem-'))
      const path = join(folder, 'region')
      let device = await persistentBackend.open({ path, size: 1 << 20, ...options }, context)
      return {
        device,
        context,
        reopen: async () => {
          device = await persistentBackend.open({ path, ...options }, context)
          return device
        },
        close: async () => {
          await device.close()
          rmSync(folder, { recursive: true })
        },
      }
    },
    // An msync on a disk takes a millisecond.
    operations: parent === tmpdir() ? 500 : 20_000,
  })
}

if (persistentBackend.probe(context).available) {
  if (process.arch === 'x64') suite('pmem by cache line, forced on tmpfs', '/dev/shm', { force: true })
  suite('pmem by page on tmpfs', '/dev/shm', { granularity: 'page' })
  suite('pmem by page on the file system of temporary files', tmpdir(), { granularity: 'page' })
}
