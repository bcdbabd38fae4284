import { ParakernelError } from '@parakernel/hal'
import { formatIpv4, parseIpv4 } from './ipv4.ts'

/**
 * An IP address of either family: four int32, the first one the most significant, each in host order. `2001:db8::1` is
 * 0x20010db8, 0, 0, 1. IPv4 addresses stand in it as `::ffff:10.0.0.1`, which is 0, 0, 0xffff, 0x0a000001 (RFC 4291
 * section 2.5.5.2). Always four elements long.
 */
export type IpWords = Int32Array

/** An address with the zone it is of, as in `fe80::1%eth0` (RFC 4007 section 11). */
export interface ScopedAddress {
  readonly words: IpWords
  /** Name of an interface; undefined where the text has none. */
  readonly zone: string | undefined
}

const MAPPED = 0xffff

/**
 * Reads the text forms of RFC 4291 section 2.2: eight groups of one to four hexadecimal digits, `::` for one run of zero
 * groups, and a dotted IPv4 address in place of the last two. Zones are refused: see `parseScopedIpv6`.
 * @throws EINVAL
 */
export function parseIpv6(text: string): IpWords {
  const dotted = text.includes('.')
  const colon = text.lastIndexOf(':')
  // The dotted tail becomes two groups, so that the rest has one form only.
  const plain = dotted && colon >= 0 ? text.slice(0, colon + 1) + tailGroups(text, text.slice(colon + 1)) : text
  const halves = plain.split('::')
  if (colon < 0 || halves.length > 2) throw notIpv6(text)
  const head = groups(text, halves[0])
  const tail = halves.length === 2 ? groups(text, halves[1]) : []
  const absent = 8 - head.length - tail.length
  // `::` stands for one group at least (RFC 4291 section 2.2).
  if (halves.length === 2 ? absent < 1 : absent !== 0) throw notIpv6(text)
  const all = [...head, ...new Array<number>(absent).fill(0), ...tail]
  return Int32Array.from({ length: 4 }, (_, i) => (all[2 * i] << 16) | all[2 * i + 1])
}

/** As `parseIpv6`, and a zone may follow: `%` and the name of an interface. @throws EINVAL */
export function parseScopedIpv6(text: string): ScopedAddress {
  const percent = text.indexOf('%')
  if (percent < 0) return { words: parseIpv6(text), zone: undefined }
  const zone = text.slice(percent + 1)
  if (!/^[\w.:-]+$/.test(zone)) throw notIpv6(text)
  return { words: parseIpv6(text.slice(0, percent)), zone }
}

/** An address of either family; IPv4 comes out mapped. @throws EINVAL */
export function parseIp(text: string): IpWords {
  return text.includes(':') ? parseIpv6(text) : mapIpv4(parseIpv4(text))
}

/** `::ffff:10.0.0.1` of 10.0.0.1. */
export function mapIpv4(address: number): IpWords {
  return Int32Array.of(0, 0, MAPPED, address)
}

/**
 * The one text of an address (RFC 5952): lower case, no leading zeros, the longest run of two or more zero groups (the first of
 * equals) as `::`, IPv4-mapped addresses with a dotted tail.
 */
export function formatIpv6(words: IpWords): string {
  if (isIpv4Mapped(words)) return `::ffff:${formatIpv4(words[3])}`
  const all = Array.from({ length: 8 }, (_, i) => (words[i >> 1] >>> (i & 1 ? 0 : 16)) & 0xffff)
  let [longest, start] = [1, -1]
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && all[end] === 0) end++
    if (end - i > longest) [longest, start] = [end - i, i]
    i = Math.max(i, end - 1)
  }
  const hex = (from: number, to: number) =>
    all
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':')
  return start < 0 ? hex(0, 8) : `${hex(0, start)}::${hex(start + longest, 8)}`
}

/** The text of an address in its own family: IPv4 dotted, IPv6 as `formatIpv6`. */
export function formatIp(words: IpWords): string {
  return isIpv4Mapped(words) ? formatIpv4(words[3]) : formatIpv6(words)
}

/** Whether it is an IPv4 address, `::ffff:0:0/96`. */
export function isIpv4Mapped(words: IpWords): boolean {
  return words[2] === MAPPED && words[1] === 0 && words[0] === 0
}

/** `ff00::/8`; IPv4 groups are not asked for. */
export function isIpv6Multicast(words: IpWords): boolean {
  return words[0] >>> 24 === 0xff
}

function groups(text: string, part: string): number[] {
  if (part === '') return []
  return part.split(':').map((group) => {
    if (!/^[\da-f]{1,4}$/i.test(group)) throw notIpv6(text)
    return Number.parseInt(group, 16)
  })
}

function tailGroups(text: string, dotted: string): string {
  try {
    const value = parseIpv4(dotted)
    return `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`
  } catch {
    throw notIpv6(text)
  }
}

function notIpv6(text: string): ParakernelError {
  return new ParakernelError('EINVAL', 'is not an IPv6 address', {
    subject: JSON.stringify(text),
    remedy: 'Write groups of hexadecimal digits, as in 2001:db8::1',
  })
}
