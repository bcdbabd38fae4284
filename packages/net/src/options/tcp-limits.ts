import type { OptionSpecs } from '@parakernel/hal'
import { invalidOption, type OptionReader } from './readers.ts'

/** Bounds of TCP in a partition, beside the settings of connections. */
export interface TcpLimitOptions {
  /** Stream sockets, those of accepted connections included. */
  readonly streams?: number
  /** Connections, those that live on after the close of their socket included. */
  readonly tcpConnections?: number
  /** Half-open connections that are remembered before SYN cookies take over. */
  readonly tcpSynBacklog?: number
  readonly tcpSynCookies?: 'pressure' | 'always' | 'off'
  /** Connections in TIME-WAIT; beyond it the oldest ends early. */
  readonly tcpTimeWaits?: number
  /** Per cent of the partition's frames that all connections together may hold. */
  readonly tcpMemory?: number
  /**
   * For several partitions on a device that takes no steering rules and spreads packets by the Toeplitz hash over as many queues as
   * there are partitions, in turn: its key, 40 bytes as hexadecimal text. Connections are then opened from ports whose answers
   * come to the partition that opened them.
   */
  readonly tcpRssKey?: string
}

export interface TcpLimitConfig {
  readonly streams: number
  readonly connections: number
  readonly synBacklog: number
  readonly cookies: 'pressure' | 'always' | 'off'
  readonly timeWaits: number
  /** Of the pool's frames, 0 to 1. */
  readonly memory: number
  readonly rssKey: string | undefined
}

export const tcpLimitSpecs: OptionSpecs = {
  streams: { type: 'integer', min: 1, max: 65_535, default: 65_535, description: 'Stream sockets of a partition' },
  tcpConnections: {
    type: 'integer',
    min: 1,
    max: 1_048_576,
    default: 65_536,
    description: 'TCP connections of a partition',
  },
  tcpSynBacklog: {
    type: 'integer',
    min: 1,
    max: 1_048_576,
    default: 4096,
    description: 'Half-open connections that are remembered',
  },
  tcpSynCookies: {
    type: 'string',
    values: ['pressure', 'always', 'off'],
    default: 'pressure',
    description: 'SYN cookies (RFC 4987): when the backlog is full, for every SYN, or never',
  },
  tcpTimeWaits: {
    type: 'integer',
    min: 1,
    max: 1_048_576,
    default: 32_768,
    description: 'Connections in TIME-WAIT',
  },
  tcpMemory: {
    type: 'integer',
    min: 1,
    max: 100,
    default: 60,
    description: 'Per cent of the frames that all TCP connections together may hold',
  },
  tcpRssKey: {
    type: 'string',
    description: 'Key of the device, if it spreads packets over the partitions by the Toeplitz hash and not by rules',
    form: { example: '6d5a56da and 72 more digits', pattern: /^[0-9a-f]{80}$/i },
  },
}

/** @throws EINVAL naming the option */
export function readTcpLimits(read: OptionReader): TcpLimitConfig {
  return {
    streams: read.number('streams'),
    connections: read.number('tcpConnections'),
    synBacklog: read.number('tcpSynBacklog'),
    cookies: read.choice('tcpSynCookies'),
    timeWaits: read.number('tcpTimeWaits'),
    memory: read.number('tcpMemory') / 100,
    rssKey: readKey(read.text('tcpRssKey')),
  }
}

function readKey(text: string | undefined): string | undefined {
  if (text === undefined || /^[0-9a-f]{80}$/i.test(text)) return text
  throw invalidOption('tcpRssKey', 'it is not 40 bytes as 80 hexadecimal digits')
}
