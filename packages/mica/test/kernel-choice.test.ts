import type { WasmMemory } from '@parakernel/hal'
import { describe, expect, it } from 'vitest'
import { MicaPartition, MicaStore } from '../src/index.ts'

describe('the choice of kernel', () => {
  // A memory that is not shared is one that the WASM kernel cannot import.
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (options: { initial: number }) => WasmMemory }
  }
  const memory = new WebAssembly.Memory({ initial: 16 })

  it('falls back to TypeScript, and says why if it may not', () => {
    expect(() => new MicaPartition({ memory, kernel: 'wasm' })).toThrow(/ENOTSUP.*typescript/)
    const partition = new MicaPartition({ memory })
    expect(partition.kernel).toBe('typescript')
    const store = new MicaStore(partition)
    store.set('a', 'b')
    expect(store.get('a')).toEqual(new TextEncoder().encode('b'))
  })
})
