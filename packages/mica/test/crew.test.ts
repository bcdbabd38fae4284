import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { createPlainRegion } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { MicaPartition, MicaReader, MicaStore } from '../src/index.ts'
import { KERNELS, keyOf, pattern } from './support/harness.ts'

describe('MicaReader', () => {
  it('refuses what is no partition, and an EREW partition', () => {
    const { memory } = createPlainRegion(1 << 20)
    expect(() => new MicaReader(memory)).toThrow(/ENOENT/)
    new MicaPartition({ memory })
    expect(() => new MicaReader(memory)).toThrow(/ENOTSUP/)
  })

  it('reads what the owner wrote, and honours expiry', () => {
    const { memory } = createPlainRegion(1 << 20)
    let now = 100
    const clock = () => now
    const store = new MicaStore(new MicaPartition({ memory, concurrency: 'CREW' }), clock)
    const reader = new MicaReader(memory, 0, clock)
    store.set('a', 'alpha', { flags: 7 })
    store.set('b', pattern(5000, 1), { ttl: 10 })
    expect(reader.getItem('a')).toEqual({ ...store.getItem('a') })
    expect(reader.get('b')).toEqual(pattern(5000, 1))
    const small = new Uint8Array(4)
    expect(reader.readInto(new TextEncoder().encode('a'), small)).toBe(5)
    expect(small).toEqual(new Uint8Array(4))
    now = 110
    expect(reader.get('b')).toBeUndefined()
    expect(reader.get('c')).toBeUndefined()
    expect(reader.statistics()).toEqual({ hits: 3, misses: 2, retries: 0 })
  })

  it('gives up on a bucket whose owner died in the middle of a write', () => {
    const { memory } = createPlainRegion(1 << 20)
    const { partition } = new MicaStore(new MicaPartition({ memory, concurrency: 'CREW', buckets: 1 }))
    const reader = new MicaReader(memory)
    const words = new Int32Array(memory.buffer)
    words[partition.geometry.indexOffset >> 2] = 1
    expect(() => reader.get('a')).toThrow(/EOWNERDEAD/)
  })

  describe.each(KERNELS)('beside a writing %s owner', (kernel) => {
    it.each(['cache', 'store'] as const)('%s mode: no torn value', async (mode) => {
      const keys = 60
      const { memory } = createPlainRegion(1 << 17)
      const control = new Int32Array(new SharedArrayBuffer(8))
      const worker = new Worker(new URL('./support/crew-owner.ts', import.meta.url), {
        workerData: { memory, mode, kernel, keys, control },
        execArgv: ['--conditions=source'],
      })
      await once(worker, 'online')
      Atomics.wait(control, 0, 0, 10_000)
      const reader = new MicaReader(memory)
      let read = 0
      const rounds = new Set<number>()
      // Until both have demonstrably run at once, however busy the machine is.
      const end = Date.now() + 20_000
      while ((read < 20_000 || rounds.size < 50) && Date.now() < end) {
        for (let key = 0; key < keys; key++) {
          const value = reader.get(keyOf(key))
          if (value === undefined) continue
          read++
          const words = new Uint32Array(value.buffer, 0, value.length >> 2)
          const round = words[1]
          rounds.add(round)
          const whole = words[0] === key && words.length === 2 + ((round * 7 + key) % 200)
          if (!whole || words.subarray(1).some((word) => word !== round)) expect.fail(`torn value of key ${key}`)
        }
      }
      Atomics.store(control, 1, 1)
      const [code] = await once(worker, 'exit')
      expect(code).toBe(0)
      expect(read).toBeGreaterThanOrEqual(20_000)
      expect(rounds.size).toBeGreaterThanOrEqual(50)
    })
  })
})
