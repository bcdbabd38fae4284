import { ParakernelError } from '../errors.ts'

/** An Ethernet address as text, `02:00:00:00:00:01`; six bytes on the wire. */
export type MacAddress = string

export const BROADCAST_MAC: MacAddress = 'ff:ff:ff:ff:ff:ff'

/** @throws EINVAL unless `text` is six hexadecimal bytes joined by colons. */
export function parseMac(text: MacAddress): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) {
    throw new ParakernelError('EINVAL', 'is not an Ethernet address', {
      subject: JSON.stringify(text),
      remedy: 'Write six hexadecimal bytes, as in 02:00:00:00:00:01',
    })
  }
  return Uint8Array.from(text.split(':'), (byte) => Number.parseInt(byte, 16))
}

export function formatMac(bytes: Uint8Array, offset = 0): MacAddress {
  return Array.from(bytes.subarray(offset, offset + 6), (byte) => byte.toString(16).padStart(2, '0')).join(':')
}
