import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPlainWindow, DebugFramePool } from '@parakernel/hal'
import { RunLoop } from '@parakernel/kernel'
import { type StorageSetup, storageLibosConformance } from '@parakernel/libos-conformance'
import { createQueueRuntime } from '@parakernel/queue'
import { libos as networkLibos, storageLibos } from '../src/index.ts'

storageLibosConformance({
  name: 'host',
  unsupported: {
    synchronousWait: "the thread pool of Node's answers in Node's own loop, which a synchronous wait holds up",
    sparse: 'node:fs cannot punch holes, and whether files have them is up to the file system',
    smallVolume: 'the volume is the file system of the host, which no test should fill',
    powerCut: 'no test can take the power from the host',
    ...(process.platform === 'linux' ? {} : { exactNames: 'the file system may fold case or accents' }),
  },
  async setup({ tokens, descriptors }: StorageSetup) {
    const path = mkdtempSync(join(tmpdir(), 'parakernel-host-'))
    const loop = new RunLoop()
    loop.start()
    const pool = new DebugFramePool(createPlainWindow(256))
    const runtime = createQueueRuntime(loop, {
      ...(tokens === undefined ? {} : { tokens }),
      ...(descriptors === undefined ? {} : { descriptors }),
    })
    const context = { loop, runtime, pool, partition: 0, partitions: 1 }
    const create = (options: { readonly readOnly?: boolean } = {}) =>
      storageLibos.create({ path, ...options }, { ...context, block: undefined, persistent: undefined })
    return {
      libos: await create(),
      reopen: create,
      network: {
        libos: await networkLibos.create({ address: '127.0.0.1' }, { ...context, clock: loop.clock, queues: [] }),
        address: '127.0.0.1',
      },
      async close() {
        loop.stop()
        rmSync(path, { recursive: true })
      },
    }
  },
})
