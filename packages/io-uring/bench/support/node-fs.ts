import { closeSync, openSync, promises, read, readSync, write, writeSync } from 'node:fs'
import { createPlainRegion } from '@parakernel/hal'
import { BLOCK, type Load, type Rate, randomBlocks, rate } from './load.ts'

/** O_DIRECT wants memory that is aligned to a block: that of a WebAssembly.Memory is, as that of the backend's frames. */
function alignedBuffers(depth: number): Buffer[] {
  const { buffer } = createPlainRegion(depth * BLOCK)
  return Array.from({ length: depth }, (_, i) => Buffer.from(buffer, i * BLOCK, BLOCK))
}

/** node:fs with callbacks, `depth` at a time. */
export async function callbacks(load: Load, flags: number): Promise<Rate> {
  const fd = openSync(load.path, flags)
  const random = randomBlocks(load.bytes / BLOCK)
  const run = (milliseconds: number) =>
    new Promise<number>((resolve, reject) => {
      const end = performance.now() + milliseconds
      let operations = 0
      let running = 0
      for (const buffer of alignedBuffers(load.depth)) {
        const next = (error: Error | null) => {
          running--
          if (error !== null) reject(error)
          operations++
          if (performance.now() < end) start()
          else if (running === 0) resolve(operations)
        }
        const start = () => {
          running++
          const at = random() * BLOCK
          if (load.writes) write(fd, buffer, 0, BLOCK, at, next)
          else read(fd, buffer, 0, BLOCK, at, next)
        }
        start()
      }
    })
  return measured(load, fd, run)
}

/** node:fs/promises, `depth` at a time. */
export async function withPromises(load: Load, flags: number): Promise<Rate> {
  const handle = await promises.open(load.path, flags)
  const random = randomBlocks(load.bytes / BLOCK)
  const run = async (milliseconds: number) => {
    const end = performance.now() + milliseconds
    let operations = 0
    await Promise.all(
      alignedBuffers(load.depth).map(async (buffer) => {
        while (performance.now() < end) {
          const at = random() * BLOCK
          if (load.writes) await handle.write(buffer, 0, BLOCK, at)
          else await handle.read(buffer, 0, BLOCK, at)
          operations++
        }
      }),
    )
    return operations
  }
  const result = await measured(load, undefined, run)
  await handle.close()
  return result
}

/** readSync and writeSync: one at a time, and nothing else runs meanwhile. */
export async function synchronous(load: Load, flags: number): Promise<Rate> {
  const fd = openSync(load.path, flags)
  const random = randomBlocks(load.bytes / BLOCK)
  const [buffer] = alignedBuffers(1)
  const run = async (milliseconds: number) => {
    const end = performance.now() + milliseconds
    let operations = 0
    while (performance.now() < end) {
      for (let i = 0; i < 16; i++, operations++) {
        if (load.writes) writeSync(fd, buffer, 0, BLOCK, random() * BLOCK)
        else readSync(fd, buffer, 0, BLOCK, random() * BLOCK)
      }
    }
    return operations
  }
  return measured(load, fd, run)
}

async function measured(load: Load, fd: number | undefined, run: (ms: number) => Promise<number>): Promise<Rate> {
  await run(200)
  const cpu = process.cpuUsage()
  const start = performance.now()
  const operations = await run(load.seconds * 1000)
  const result = rate(operations, start, cpu)
  if (fd !== undefined) closeSync(fd)
  return result
}
