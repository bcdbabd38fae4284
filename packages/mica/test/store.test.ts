import { createPlainRegion } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { itemBytes, MicaPartition, MicaStore, planPartition } from '../src/index.ts'

const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : new TextDecoder().decode(bytes))

describe.each(['cache', 'store'] as const)('MicaStore, %s mode', (mode) => {
  it('offers every operation', () => {
    let now = 1000
    const store = new MicaStore(new MicaPartition({ memory: createPlainRegion(4 << 20).memory, mode }), () => now)
    store.set('greeting', 'hello', { flags: 3 })
    expect(text(store.get('greeting'))).toBe('hello')
    expect(store.get('other')).toBeUndefined()
    expect(store.add('greeting', 'x')).toBe(false)
    expect(store.add('new', 'x')).toBe(true)
    expect(store.replace('new', 'y')).toBe(true)
    expect(store.replace('absent', 'y')).toBe(false)
    expect(store.append('greeting', ' world')).toBe(true)
    expect(store.prepend('greeting', 'oh, ')).toBe(true)
    const item = store.getItem('greeting')
    expect(text(item?.value)).toBe('oh, hello world')
    expect(item?.flags).toBe(3)
    expect(store.cas('greeting', 'a', 1n)).toBe('changed')
    expect(store.cas('greeting', 'a', item?.version ?? 0n)).toBe('stored')
    expect(store.cas('absent', 'a', 1n)).toBe('absent')
    store.set('n', new Uint8Array(8))
    expect(store.increment('n', 2n ** 40n)).toBe(2n ** 40n)
    expect(store.decrement('n', 1)).toBe(2n ** 40n - 1n)
    expect(store.decrement('n', 2n ** 50n)).toBe(0n)
    expect(store.increment('n', 2n ** 64n - 1n)).toBe(2n ** 64n - 1n)
    expect(store.increment('n')).toBe(0n)
    expect(store.increment('absent')).toBeUndefined()
    expect(store.touch('greeting', 50)).toBe(true)
    now = 1050
    expect(store.get('greeting')).toBeUndefined()
    expect(store.delete('new')).toBe(true)
    expect(store.delete('new')).toBe(false)
    store.set('empty', '')
    expect(store.get('empty')).toEqual(new Uint8Array(0))
    store.clear()
    expect(store.get('n')).toBeUndefined()
    expect(store.statistics().items).toBe(0)
  })

  it('throws what the caller must fix', () => {
    const partition = new MicaPartition({
      memory: createPlainRegion(1 << 20).memory,
      mode,
      maxValueBytes: 1000,
      name: 'p7',
    })
    const store = new MicaStore(partition)
    expect(() => store.set('', 'x')).toThrow(/p7.*EINVAL/)
    expect(() => store.set('k', 'x', { ttl: -5 })).toThrow(/time to live of -5 ms.*EINVAL/)
    expect(() => store.touch('k', Number.NaN)).toThrow(/EINVAL/)
    expect(() => store.set('k'.repeat(256), 'x')).toThrow(/EINVAL/)
    expect(() => store.set('k', 'x'.repeat(1001))).toThrow(/EMSGSIZE/)
    store.set('text', 'no counter')
    expect(() => store.increment('text')).toThrow(/not a counter.*EINVAL/)
    const fill = () => {
      for (let n = 0; n < 5000; n++) store.set(`key${n}`, 'v'.repeat(1000))
    }
    if (mode === 'store') expect(fill).toThrow(/ENOSPC/)
    else expect(fill).not.toThrow()
    expect(text(store.get('text'))).toBe(mode === 'store' ? 'no counter' : undefined)
  })
})

describe('planPartition', () => {
  it('uses the window well, and never more than it', () => {
    for (const mode of ['cache', 'store'] as const) {
      for (let size = 1 << 16; size <= 1 << 30; size = Math.floor(size * 1.37)) {
        const geometry = planPartition(size, { mode })
        expect(geometry.byteLength).toBeLessThanOrEqual(size)
        expect(geometry.dataOffset % 64).toBe(0)
        expect(geometry.dataBytes / size).toBeGreaterThan(mode === 'cache' ? 0.18 : 0.4)
      }
    }
  })

  it('refuses what does not work', () => {
    expect(() => planPartition(4096)).toThrow(/ENOSPC/)
    expect(() => planPartition(1 << 20, { dataBytes: 1 << 20 })).toThrow(/ENOSPC/)
    expect(() => planPartition(1 << 20, { dataBytes: 100_000 })).toThrow(/power of two/)
    expect(() => planPartition(1 << 20, { mode: 'store', dataBytes: 100_001 })).toThrow(/multiple of 64/)
    expect(() => planPartition(1 << 20, { indexLoad: 0 })).toThrow(/indexLoad/)
    const { memory } = createPlainRegion(1 << 20)
    expect(() => new MicaPartition({ memory, byteOffset: 32 })).toThrow(/EINVAL/)
    expect(() => new MicaPartition({ memory, byteOffset: 64, byteLength: 1 << 20 })).toThrow(/EINVAL/)
    expect(() => new MicaPartition({ memory, moveToHead: 2 })).toThrow(/moveToHead/)
  })

  it('knows the size of an item', () => {
    expect(itemBytes(8, 8)).toBe(32)
    expect(itemBytes(16, 100)).toBe(136)
    expect(itemBytes(1, 0, true)).toBe(40)
  })
})
