import { createRequire } from 'node:module'
import { ParakernelError } from '@parakernel/hal'

/** What a foreign function accepts as a pointer: bytes in place, an address, or null. */
export type Pointer = ArrayBufferView | ArrayBufferLike | number | bigint | null

/**
 * The few means that this package takes from a foreign-function library. Addresses are doubles: user space ends below
 * 2^47 (2^48 on arm64), so none is lost.
 */
export interface ForeignInterface {
  /** Binds `symbol` of the process itself (libc, libuv). */
  bind(symbol: string, result: string, parameters: readonly string[]): (...values: unknown[]) => unknown
  /** Binds machine code at an address, of which the caller sees to it that it is there. */
  bindAddress(address: number, result: string, parameters: readonly string[]): (...values: unknown[]) => unknown
  /** errno of the last foreign call of this thread; valid until the next one. */
  errno(): number
  /** The address of the first byte. The caller keeps `bytes` reachable for as long as the address is used. */
  addressOf(bytes: ArrayBufferView | ArrayBufferLike): number
  /** An ArrayBuffer over memory that the caller keeps mapped; it owns nothing, and outliving the mapping crashes. */
  view(address: number, length: number): ArrayBuffer
  /** A C function pointer `void (*)(void *, int, int)` that calls `handler` with the address; it lives for ever. */
  callback(handler: (address: number) => void): bigint
}

let loaded: ForeignInterface | undefined

/**
 * Loads koffi at the first use, so that importing this package costs nothing and works anywhere.
 * Throws ENOSYS where the host is not Linux or koffi is not installed.
 */
export function foreign(): ForeignInterface {
  loaded ??= load()
  return loaded
}

function load(): ForeignInterface {
  if (process.platform !== 'linux') {
    throw new ParakernelError('ENOSYS', 'system calls by FFI need Linux', {
      subject: `platform ${process.platform}`,
      remedy: 'Use the emulated backend or the host libOS, which run anywhere',
    })
  }
  let koffi: typeof import('koffi')
  try {
    koffi = createRequire(import.meta.url)('koffi')
  } catch (cause) {
    throw new ParakernelError('ENOSYS', 'the foreign-function library cannot be loaded', {
      subject: 'koffi',
      remedy: 'Run npm install koffi, and do not omit optional dependencies: its binary is one',
      cause,
    })
  }
  const self = koffi.load(null)
  let prototype: ReturnType<typeof koffi.proto> | undefined
  return {
    bind: (symbol, result, parameters) => self.func(symbol, result, [...parameters]),
    bindAddress: (address, result, parameters) =>
      koffi.decode(BigInt(address), koffi.proto(result, [...parameters])) as (...values: unknown[]) => unknown,
    errno: () => koffi.errno(),
    addressOf: (bytes) => Number(koffi.address(bytes)),
    view: (address, length) => koffi.view(BigInt(address), length),
    callback: (handler) => {
      prototype ??= koffi.proto('void', ['uintptr_t', 'int', 'int'])
      return koffi.register((address: number | bigint) => handler(Number(address)), koffi.pointer(prototype))
    },
  }
}
