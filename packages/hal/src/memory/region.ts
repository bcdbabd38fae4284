import { ParakernelError } from '../errors.ts'
import { type WasmMemory, wasm } from './wasm.ts'

/**
 * Memory that devices, workers and WebAssembly kernels share. The bytes are always a fixed-size shared
 * `WebAssembly.Memory`; kinds differ in what lies under it:
 *
 * - `plain`: the engine's own pages. Serves as an AF_XDP UMEM, is shared with workers; never with another process.
 * - `memfd`: a sealed memfd mapped over the same addresses, visible to another process that inherits `fd`. Made by
 *   `Host.createRegion`.
 * - `file`: a file mapped over the same addresses, by a persistent memory backend. Devices may be unable to pin it.
 *
 * A region is plain clonable data: it goes through `postMessage` as it is.
 */
export interface MemoryRegion {
  readonly kind: 'plain' | 'memfd' | 'file'
  readonly memory: WasmMemory
  readonly buffer: SharedArrayBuffer
  readonly byteLength: number
  /** The memfd or file, owned by the thread that created the region; -1 for the plain kind. */
  readonly fd: number
}

/** One WebAssembly page; every region's length is a multiple of it. */
export const REGION_PAGE = 65_536
/** Longest region: byte offsets into it stay int32, which keeps them small integers in V8. */
export const REGION_MAX = 0x8000_0000

/**
 * Creates the plain kind.
 * @param byteLength is rounded up to a multiple of 64 KiB; at most 2 GiB.
 * @throws EINVAL for a length out of range, ENOMEM when the engine has no address space or memory for it.
 */
export function createPlainRegion(byteLength: number): MemoryRegion {
  const memory = createRegionMemory(byteLength)
  const buffer = memory.buffer as unknown as SharedArrayBuffer
  return { kind: 'plain', memory, buffer, byteLength: buffer.byteLength, fd: -1 }
}

/** The shared, fixed-size memory under every kind of region. Same errors as {@link createPlainRegion}. */
export function createRegionMemory(byteLength: number): WasmMemory {
  if (!(byteLength > 0 && byteLength <= REGION_MAX)) {
    throw new ParakernelError('EINVAL', `length ${byteLength} is not between 1 and ${REGION_MAX}`, {
      subject: 'memory region',
    })
  }
  const pages = Math.ceil(byteLength / REGION_PAGE)
  try {
    return new wasm.Memory({ initial: pages, maximum: pages, shared: true })
  } catch (cause) {
    throw new ParakernelError('ENOMEM', `cannot reserve ${byteLength} bytes`, { subject: 'memory region', cause })
  }
}
