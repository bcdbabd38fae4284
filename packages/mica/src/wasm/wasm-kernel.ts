import { ParakernelError, type WasmMemory, type WasmModule, wasm } from '@parakernel/hal'
import type { Kernel } from '../kernel.ts'
import type { RequestBatch } from '../request-batch.ts'
import { KERNEL_BASE64 } from './kernel-binary.ts'

interface KernelExports {
  readonly prepare: (header: number, batch: number) => number
  readonly execute: (
    header: number,
    batch: number,
    from: number,
    to: number,
    out: number,
    limit: number,
    gap: number,
  ) => number
  readonly rehash: (header: number, batch: number) => void
}

/** Compiled once per thread; instances share the code. */
let compiled: WasmModule | undefined

/** The kernel of `kernel/mica.c`, running in place on the partition's memory. */
export class WasmKernel implements Kernel {
  readonly name = 'wasm'
  /** Where the touch passes' loads end up, so that they are not optimised away. */
  sink = 0
  readonly #header: number
  readonly #exports: KernelExports

  /** Throws ENOTSUP where the engine lacks WebAssembly with threads and SIMD, or refuses the memory. */
  constructor(memory: WasmMemory, byteOffset: number) {
    try {
      compiled ??= new wasm.Module(Buffer.from(KERNEL_BASE64, 'base64'))
      this.#exports = new wasm.Instance(compiled, { env: { memory } }).exports as unknown as KernelExports
    } catch (cause) {
      throw new ParakernelError('ENOTSUP', 'the WASM kernel does not start', {
        subject: 'mica',
        remedy: "Use a shared WebAssembly.Memory with a maximum of at most 2 GiB, or kernel: 'typescript'",
        cause,
      })
    }
    this.#header = byteOffset
  }

  prepare(batch: RequestBatch): void {
    this.sink ^= this.#exports.prepare(this.#header, batch.byteOffset)
  }

  execute(batch: RequestBatch, from: number, to: number, out: number, limit: number, gap: number): number {
    return this.#exports.execute(this.#header, batch.byteOffset, from, to, out, limit, gap)
  }

  rehash(batch: RequestBatch): void {
    this.#exports.rehash(this.#header, batch.byteOffset)
  }
}
