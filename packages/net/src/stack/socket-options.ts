import { ParakernelError } from '@parakernel/hal'
import type { SocketOption, SocketOptions } from '@parakernel/queue'

/** What an option may be: true or false, a number from the first to the last, or one of some words. */
type Allowed = 'switch' | readonly [least: number, most: number] | readonly string[]

/** The largest window (RFC 7323 section 2.3), and so the largest buffer that makes sense. */
const LARGEST_BUFFER = 2 ** 30 - 1
/** About 24 days in milliseconds. */
const LONGEST_TIME = 2 ** 31 - 1
const TIME = [1, LONGEST_TIME] as const
const BUFFER = [0, LARGEST_BUFFER] as const
/** Shorter segments are sent by nobody honest. */
const LEAST_SEGMENT = 88

const ALLOWED: Readonly<Record<SocketOption, Allowed>> = {
  broadcast: 'switch',
  ttl: [1, 255],
  multicastTtl: [0, 255],
  multicastLoop: 'switch',
  receiveQueue: [1, 1_000_000],
  ipv6Only: 'switch',
  noDelay: 'switch',
  keepAlive: 'switch',
  keepAliveIdle: TIME,
  keepAliveInterval: TIME,
  keepAliveProbes: [1, 255],
  userTimeout: [0, LONGEST_TIME],
  linger: [-1, LONGEST_TIME],
  receiveBuffer: BUFFER,
  sendBuffer: BUFFER,
  notSentLowWater: BUFFER,
  maximumSegment: [0, 65_535],
  congestionControl: ['cubic', 'newreno', 'none'],
}

const OF_DATAGRAMS: readonly SocketOption[] = ['broadcast', 'ttl', 'multicastTtl', 'multicastLoop', 'receiveQueue']
const OF_STREAMS: readonly SocketOption[] = [
  'ttl',
  'noDelay',
  'keepAlive',
  'keepAliveIdle',
  'keepAliveInterval',
  'keepAliveProbes',
  'userTimeout',
  'linger',
  'receiveBuffer',
  'sendBuffer',
  'notSentLowWater',
  'maximumSegment',
  'congestionControl',
]
const IPV6_ALONE: readonly SocketOption[] = ['ipv6Only']

/** The options that a socket of a kind has. */
export function optionsOf(type: 'datagram' | 'stream', family: 4 | 6): readonly SocketOption[] {
  const own = type === 'datagram' ? OF_DATAGRAMS : OF_STREAMS
  return family === 6 ? [...own, ...IPV6_ALONE] : own
}

/** @throws ENOPROTOOPT for a name that is none, or none of this socket's */
export function knownOption<K extends SocketOption>(option: K, type: 'datagram' | 'stream', family: 4 | 6 = 4): K {
  const all = optionsOf(type, family)
  if (all.includes(option)) return option
  throw new ParakernelError('ENOPROTOOPT', `a ${type} socket of IPv${family} has no such option`, {
    subject: `socket option ${option}`,
    remedy: `Options are ${all.join(', ')}`,
  })
}

/** @throws ENOPROTOOPT for a name that is none of this socket's, EINVAL for a value out of range */
export function checkedOption<K extends SocketOption>(
  option: K,
  value: SocketOptions[K],
  type: 'datagram' | 'stream',
  family: 4 | 6 = 4,
): SocketOptions[K] {
  const allowed = ALLOWED[knownOption(option, type, family)]
  if (isAllowed(allowed, value) && !(option === 'maximumSegment' && value !== 0 && (value as number) < LEAST_SEGMENT)) {
    return value
  }
  throw new ParakernelError('EINVAL', `${String(value)} is not ${describe(option, allowed)}`, {
    subject: `socket option ${option}`,
  })
}

function isAllowed(allowed: Allowed, value: unknown): boolean {
  if (allowed === 'switch') return typeof value === 'boolean'
  if (typeof allowed[0] === 'string') return (allowed as readonly unknown[]).includes(value)
  const [least, most] = allowed as readonly [number, number]
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
}

function describe(option: SocketOption, allowed: Allowed): string {
  if (allowed === 'switch') return 'true or false'
  if (typeof allowed[0] === 'string') return allowed.join(' or ')
  const zero = option === 'maximumSegment' ? '0, or ' : ''
  return `${zero}an integer from ${zero === '' ? allowed[0] : LEAST_SEGMENT} to ${allowed[1]}`
}
