import { isIPv4, isIPv6 } from 'node:net'
import { ParakernelError } from '../errors.ts'

/** The 4 or 16 bytes of an address. @throws EINVAL */
export function parseIpAddress(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number)
  if (isIPv6(text) && !text.includes('%')) return parseIPv6(text)
  throw new ParakernelError('EINVAL', 'is not an IPv4 or IPv6 address', { subject: JSON.stringify(text) })
}

function parseIPv6(text: string): Uint8Array {
  // An IPv4 tail (RFC 4291, section 2.2, form 3) is two more groups.
  const whole = text.replace(/[^:]+\.[^:]+$/, (tail) => {
    const [a, b, c, d] = tail.split('.').map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [head, tail] = whole.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const groups =
    tail === undefined ? head : [...head, ...new Array<string>(8 - head.length - tail.length).fill('0'), ...tail]
  return Uint8Array.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16)]))
}
