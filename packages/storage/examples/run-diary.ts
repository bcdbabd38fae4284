import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EmulatedDisk } from '@parakernel/emulated'
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { storageLibos as host } from '@parakernel/host'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime } from '@parakernel/queue'
import { storageLibos as storage } from '@parakernel/storage'
import { keepDiary } from './diary.ts'

const loop = new RunLoop()
loop.start()
const runtime = createQueueRuntime(loop)
const window = createPlainWindow(512, { frameSize: 4096, headroom: 0 })
const context = { loop, runtime, partition: 0, partitions: 1 }

// On the file system of the host.
const folder = mkdtempSync(join(tmpdir(), 'diary-'))
const onHost = await host.create(
  { path: folder },
  { ...context, pool: new FramePool(window), block: undefined, persistent: undefined },
)
await keepDiary(onHost, (line) => console.log(`host:    ${line}`))
await onHost.shutdown()
rmSync(folder, { recursive: true })

// On a volume of our own, on a disk in memory.
const disk = new EmulatedDisk({ clock: loop.clock, blocks: 4096, blockSize: 4096 })
const pool = new FramePool(createPlainWindow(1024, { frameSize: 4096, headroom: 0 }))
const grant = disk.grant(0, { namespace: 1, firstLba: 0, blocks: 4096 }, pool.window)
const block = disk.attach(grant, { pool, clock: loop.clock })
const onDisk = await storage.create({}, { ...context, pool, block, persistent: undefined })
await keepDiary(onDisk, (line) => console.log(`storage: ${line}`))
await onDisk.shutdown()
await disk.close()
loop.stop()
