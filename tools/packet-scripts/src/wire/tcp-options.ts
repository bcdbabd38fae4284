import { viewOf } from './bytes.ts'

export const OPTION_EOL = 0
export const OPTION_NOP = 1
export const OPTION_MSS = 2
export const OPTION_WINDOW_SCALE = 3
export const OPTION_SACK_PERMITTED = 4
export const OPTION_SACK = 5
export const OPTION_TIMESTAMPS = 8
export const OPTION_USER_TIMEOUT = 28

/** One option as on the wire: its kind and what follows kind and length. */
export interface TcpOption {
  readonly kind: number
  readonly data: Uint8Array
}

/** Undefined where the list is malformed. End-of-list ends it; no-operations are kept. */
export function decodeOptions(bytes: Uint8Array): TcpOption[] | undefined {
  const options: TcpOption[] = []
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at]
    if (kind === OPTION_EOL) break
    if (kind === OPTION_NOP) {
      options.push({ kind, data: new Uint8Array(0) })
      at++
      continue
    }
    const length = bytes[at + 1] ?? 0
    if (length < 2 || at + length > bytes.length) return undefined
    options.push({ kind, data: bytes.slice(at + 2, at + length) })
    at += length
  }
  return options
}

/** Padded to words with end-of-list. */
export function encodeOptions(options: readonly TcpOption[]): Uint8Array {
  const bytes: number[] = []
  for (const { kind, data } of options) {
    bytes.push(kind)
    if (kind !== OPTION_EOL && kind !== OPTION_NOP) bytes.push(2 + data.length, ...data)
  }
  while (bytes.length % 4 !== 0) bytes.push(OPTION_EOL)
  return Uint8Array.from(bytes)
}

export function words(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4)
  for (const [i, value] of values.entries()) viewOf(bytes).setUint32(i * 4, value >>> 0)
  return bytes
}
