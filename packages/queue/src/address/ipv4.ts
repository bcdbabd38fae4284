import { ParakernelError } from '@parakernel/hal'

/**
 * An IPv4 address as a signed int32 in host order, which V8 keeps as a small integer: 10.0.0.1 is 0x0a000001. Only the
 * dotted form of four decimal numbers is taken, without leading zeros (other readers take those as octal).
 * @throws EINVAL
 */
export function parseIpv4(text: string): number {
  const parts = text.split('.')
  let value = 0
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) throw notIpv4(text)
    value = (value << 8) | Number(part)
  }
  if (parts.length !== 4) throw notIpv4(text)
  return value
}

/** The text of an address as `parseIpv4` makes it; a uint32 is taken too. */
export function formatIpv4(address: number): string {
  return `${(address >>> 24) & 255}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`
}

/** Class D, 224.0.0.0/4. */
export function isIpv4Multicast(address: number): boolean {
  return address >>> 28 === 0xe
}

function notIpv4(text: string): ParakernelError {
  return new ParakernelError('EINVAL', 'is not an IPv4 address', {
    subject: JSON.stringify(text),
    remedy: 'Write four decimal numbers, as in 10.0.0.1',
  })
}
