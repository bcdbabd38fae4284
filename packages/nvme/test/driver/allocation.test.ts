import { PerformanceObserver } from 'node:perf_hooks'
import { BLOCK_READ, BLOCK_WRITE } from '@parakernel/hal'
import { expect, test } from 'vitest'
import { HotPath } from '../support/instant-controller.ts'

const COMMANDS = 1_000_000

for (const [name, opcode] of [
  ['reads', BLOCK_READ],
  ['writes', BLOCK_WRITE],
] as const) {
  test(`allocates nothing per command: ${COMMANDS} ${name} of 4 KiB`, { timeout: 120_000 }, async () => {
    const path = await HotPath.open()
    path.fill(opcode)
    for (let i = 0; i < 3000; i++) path.round()
    let collections = 0
    const observer = new PerformanceObserver((list) => {
      collections += list.getEntries().length
    })
    observer.observe({ entryTypes: ['gc'] })
    global.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
    collections = 0
    const heap = process.memoryUsage().heapUsed
    for (let done = 0; done < COMMANDS; done += path.burst.count) path.round()
    const grown = process.memoryUsage().heapUsed - heap
    await new Promise((resolve) => setTimeout(resolve, 20))
    observer.disconnect()
    expect({ collections, grownPerCommand: Math.round((grown / COMMANDS) * 10) / 10 }).toEqual({
      collections: 0,
      grownPerCommand: expect.toSatisfy((bytes: number) => bytes < 1),
    })
    await path.close()
  })
}
