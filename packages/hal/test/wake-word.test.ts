import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { WakeWord } from '../src/index.ts'

const create = () => new WakeWord(new SharedArrayBuffer(64))

describe('a wake word', () => {
  test('wakes a sleeper in this thread', async () => {
    const word = create()
    const start = performance.now()
    const sleep = word.sleepAsync(word.announce(), 5_000)
    expect(word.sleeping).toBe(true)
    word.notify()
    await sleep
    expect(performance.now() - start).toBeLessThan(1_000)
    expect(word.sleeping).toBe(false)
  })

  test('does not sleep when the notification came after the announcement', async () => {
    const word = create()
    const sequence = word.announce()
    word.notify()
    const start = performance.now()
    word.sleep(sequence, 5_000)
    await word.sleepAsync(word.announce() - 1, 5_000)
    expect(performance.now() - start).toBeLessThan(1_000)
    expect(word.sleeping).toBe(false)
  })

  test('sleeps no longer than it is told', () => {
    const word = create()
    const start = performance.now()
    word.sleep(word.announce(), 20)
    expect(performance.now() - start).toBeGreaterThanOrEqual(19)
    expect(word.sleeping).toBe(false)
  })

  test('forgets a sleeper who found work', () => {
    const word = create()
    word.announce()
    word.announce()
    word.cancel()
    expect(word.sleeping).toBe(true)
    word.cancel()
    expect(word.sleeping).toBe(false)
  })

  test('carries the eventfd of a partition, 0 included', () => {
    const word = create()
    expect(word.eventFd).toBe(-1)
    for (const fd of [0, 7, -1]) {
      word.eventFd = fd
      expect(new WakeWord(word.words.buffer as SharedArrayBuffer).eventFd).toBe(fd)
    }
  })

  test('loses no wake-up between threads', { timeout: 60_000 }, async () => {
    const total = 30_000
    const wake = new SharedArrayBuffer(64)
    const items = new SharedArrayBuffer(64)
    const published = new Int32Array(items)
    const workerData = { wake, items, total, limit: 2_000 }
    const worker = new Worker(new URL('./support/wake-worker.ts', import.meta.url), { workerData })
    const messages: unknown[] = []
    const next = () =>
      new Promise<unknown>((resolve, reject) => {
        worker.once('message', resolve)
        worker.once('error', reject)
      })
    messages.push(await next())
    const word = new WakeWord(wake)
    const done = next()
    let state = 12_345
    for (let i = 1; i <= total; i++) {
      Atomics.store(published, 0, i)
      word.notify()
      // Sometimes back to back, sometimes just when the worker has caught up and is about to sleep, sometimes when it sleeps.
      state = Math.imul(state, 1_103_515_245) + 12_345
      const choice = (state >>> 16) % 4
      const deadline = performance.now() + 10_000
      if (choice !== 0) while (Atomics.load(published, 1) !== i && performance.now() < deadline);
      if (choice === 2) for (let spin = (state >>> 8) % 200; spin > 0; spin--) Atomics.load(published, 2)
      if (choice === 3 && i % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    const result = (await done) as { consumed: number; sleeps: number; lost: number }
    await worker.terminate()
    expect(messages).toEqual(['ready'])
    expect(result.consumed).toBe(total)
    expect(result.lost).toBe(0)
    expect(result.sleeps).toBeGreaterThan(100)
    expect(word.sleeping).toBe(false)
  })
})
