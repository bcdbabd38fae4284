import { formatMac, type MacAddress, parseMac } from '@parakernel/hal'

/** A MAC address as the data path compares it: the first four bytes as an int32, the last two as a 16-bit number. */
export interface MacParts {
  readonly high: number
  readonly low: number
}

/** @throws EINVAL for a text that is no MAC address */
export function macParts(text: MacAddress): MacParts {
  const b = parseMac(text)
  return { high: (b[0] << 24) | (b[1] << 16) | (b[2] << 8) | b[3], low: (b[4] << 8) | b[5] }
}

export function macText({ high, low }: MacParts): MacAddress {
  return formatMac(Uint8Array.of(high >> 24, high >> 16, high >> 8, high, low >> 8, low))
}
