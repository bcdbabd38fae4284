import { type MemoryRegion, type WasmModule, wasm } from '@parakernel/hal'
import { kernelModuleBytes } from './wasm-module.ts'

/**
 * Moves bytes between a pool's region and the network's, and sums them. All arguments are byte addresses and lengths.
 * No call allocates: a typed-array view for each packet would cost more than the copy.
 */
export interface MemoryKernel {
  /** Pool to network. */
  put(to: number, from: number, length: number): void
  /** Network to pool. */
  take(to: number, from: number, length: number): void
  /** Within the network; the ranges do not overlap. */
  move(to: number, from: number, length: number): void
  /** Ones' complement sum of bytes of the network, as little-endian words, folded to 16 bits. */
  sum(at: number, length: number): number
}

let compiled: WasmModule | undefined

/** The WebAssembly kernel, or the one in plain JavaScript where the engine has no multi-memory. Both do the same. */
export function createMemoryKernel(pool: MemoryRegion, network: MemoryRegion): MemoryKernel {
  try {
    compiled ??= new wasm.Module(kernelModuleBytes())
    const instance = new wasm.Instance(compiled, { memory: { pool: pool.memory, network: network.memory } })
    const { put, take, move, sum } = instance.exports as unknown as MemoryKernel
    // Not the exports object itself: its properties are looked up in a dictionary at every call.
    return { put, take, move, sum }
  } catch {
    return createPlainKernel(pool, network)
  }
}

/** The same in JavaScript: the reference that the kernel above is tested against. */
export function createPlainKernel(pool: MemoryRegion, network: MemoryRegion): MemoryKernel {
  const poolBytes = new Uint8Array(pool.buffer)
  const networkBytes = new Uint8Array(network.buffer)
  return {
    put: (to, from, length) => networkBytes.set(poolBytes.subarray(from, from + length), to),
    take: (to, from, length) => poolBytes.set(networkBytes.subarray(from, from + length), to),
    move: (to, from, length) => networkBytes.set(networkBytes.subarray(from, from + length), to),
    sum: (at, length) => {
      let total = 0
      for (let i = 0; i < length; i++) total += i & 1 ? networkBytes[at + i] << 8 : networkBytes[at + i]
      while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
      return total
    },
  }
}
