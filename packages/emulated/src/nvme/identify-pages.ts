import type { Namespace } from './namespace.ts'
import type { ResolvedNvmeOptions } from './options.ts'

/** Identify data structures: base specification 2.0, figures 275 and 280. Fields that are not set mean "no", or "not told". */

const PAGE = 4096
export const VERSION = 0x1_0400
export const EVENT_REQUEST_LIMIT = 4
export const ERROR_LOG_ENTRIES = 64

export function controllerPage(options: ResolvedNvmeOptions): Uint8Array {
  const bytes = new Uint8Array(PAGE)
  const data = new DataView(bytes.buffer)
  // No vendor's number: 0 is not assigned.
  write(bytes, 4, 20, options.serial)
  write(bytes, 24, 40, 'parakernel emulated NVMe controller')
  write(bytes, 64, 8, '1.0')
  bytes[77] = options.mdts
  data.setUint16(78, 1, true)
  data.setUint32(80, VERSION, true)
  data.setUint32(92, 1 << 8, true) // OAES: namespace attribute notices.
  bytes[258] = options.abortLimit - 1
  bytes[259] = EVENT_REQUEST_LIMIT - 1
  bytes[260] = (1 << 1) | 1 // One firmware slot, read only.
  bytes[262] = ERROR_LOG_ENTRIES - 1
  data.setUint16(266, 343, true)
  data.setUint16(268, 363, true)
  bytes[512] = 0x66
  bytes[513] = 0x44
  data.setUint32(516, options.namespaces.length, true)
  const commands = (options.compare ? 1 : 0) | (options.deallocate ? 4 : 0) | (options.writeZeroes ? 8 : 0)
  data.setUint16(520, commands, true)
  bytes[525] = (options.volatileCache ? 1 : 0) | (3 << 1)
  data.setUint16(526, options.atomicUnit - 1, true)
  data.setUint16(528, options.atomicUnit - 1, true)
  // Any alignment, and SGLs longer than the data are taken.
  data.setUint32(536, options.sgl ? 1 | (1 << 18) : 0, true)
  write(bytes, 768, 256, `nqn.2019-05.parakernel:emulated:${options.serial}`)
  return bytes
}

export function namespacePage(namespace: Namespace, options: ResolvedNvmeOptions): Uint8Array {
  const bytes = new Uint8Array(PAGE)
  const data = new DataView(bytes.buffer)
  for (const at of [0, 8, 16]) data.setBigUint64(at, BigInt(namespace.blocks), true)
  bytes[24] = 2 // NSFEAT: own atomic units below.
  bytes[25] = 1
  bytes[26] = namespace.blockSize === 512 ? 0 : 1
  bytes[33] = 1 // DLFEAT: deallocated blocks read as zeroes.
  data.setUint16(34, options.atomicUnit - 1, true)
  data.setUint16(36, options.atomicUnit - 1, true)
  if (options.atomicBoundary > 0) {
    data.setUint16(40, options.atomicBoundary - 1, true)
    data.setUint16(44, options.atomicBoundary - 1, true)
  }
  bytes[99] = namespace.readOnly ? 1 : 0
  data.setUint32(128, 9 << 16, true)
  data.setUint32(132, 12 << 16, true)
  return bytes
}

/** Numbers above `after`, ascending. */
export function activeNamespacesPage(namespaces: Iterable<number>, after: number): Uint8Array {
  const bytes = new Uint8Array(PAGE)
  const data = new DataView(bytes.buffer)
  let at = 0
  for (const number of namespaces) if (number > after && at < PAGE) data.setUint32(4 * at++, number, true)
  return bytes
}

/** An NGUID and a command set. */
export function descriptorsPage(namespace: Namespace, options: ResolvedNvmeOptions): Uint8Array {
  const bytes = new Uint8Array(PAGE)
  bytes.set([2, 16], 0)
  write(bytes, 4, 16, `${options.serial}:${namespace.number}`)
  bytes.set([4, 1], 20)
  return bytes
}

/** Command set specific: no limits, but one deallocation names at most 256 ranges. */
export function commandSetPage(): Uint8Array {
  return new Uint8Array(PAGE)
}

function write(bytes: Uint8Array, at: number, length: number, text: string): void {
  bytes.fill(0x20, at, at + length)
  for (let i = 0; i < Math.min(length, text.length); i++) bytes[at + i] = text.charCodeAt(i)
}
