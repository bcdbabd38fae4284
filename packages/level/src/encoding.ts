import { Buffer } from 'node:buffer'

/** What abstract-level hands over: bytes, or text in UTF-8. */
export type Encoded = Uint8Array | string
/** How abstract-level wants what it reads. */
export type Format = 'utf8' | 'buffer' | 'view'

export function toBytes(data: Encoded): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data, 'utf8') : data
}

export function fromBytes(bytes: Uint8Array, format: Format): Encoded {
  if (format === 'view') return bytes
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return format === 'utf8' ? buffer.toString('utf8') : buffer
}
