import type { OptionSpec, OptionSpecs } from '@parakernel/hal'
import { DEFAULT_TCP_SETTINGS, type TcpSettings, tcpSettings } from '../tcp/settings.ts'
import type { OptionReader } from './readers.ts'

/** Every setting of TCP under its name with `tcp` before it. Times are in milliseconds. */
export type TcpOptions = {
  readonly [Name in keyof TcpSettings as `tcp${Capitalize<Name>}`]?: TcpSettings[Name]
}

type Reading = 'time' | 'integer' | 'boolean' | 'choice'

interface Setting {
  readonly reading: Reading
  readonly description: string
  readonly min?: number
  readonly max?: number
  readonly values?: readonly string[]
}

const MILLISECOND = 1e6
const DAY = 86_400_000
const LONGEST_BUFFER = 2 ** 30 - 1

const time = (description: string, min = 0, max = DAY): Setting => ({
  ...{ reading: 'time', description: `${description} (ms)`, min, max },
})
const integer = (description: string, min: number, max: number): Setting => ({
  ...{ reading: 'integer', description, min, max },
})
const yes = (description: string): Setting => ({ reading: 'boolean', description })
const choice = (description: string, ...values: string[]): Setting => ({ reading: 'choice', description, values })
const buffer = (description: string): Setting => integer(description, 1, LONGEST_BUFFER)

/** How each setting is written as an option. The compiler asks for every one. */
const SETTINGS: { readonly [Name in keyof TcpSettings]: Setting } = {
  congestionControl: choice('Congestion control (RFC 9438, RFC 6582)', 'cubic', 'newreno', 'none'),
  initialWindow: integer('Segments of the first flight (RFC 6928)', 1, 1000),
  hystart: yes('Slow start ends by HyStart++ (RFC 9406)'),
  slowStartAfterIdle: yes('Slow start after an idle time (RFC 5681)'),
  limitedTransmit: yes('A new segment for each of the first duplicate acknowledgments (RFC 3042)'),
  sack: yes('Selective acknowledgments (RFC 2018, RFC 2883)'),
  rack: yes('Loss by time (RFC 8985); needs SACK'),
  tailLossProbe: yes('Tail loss probes (RFC 8985)'),
  undo: yes('Spurious retransmissions are found and undone (RFC 3522, RFC 5682)'),
  initialRto: time('Retransmission timeout before the first sample (RFC 6298)', 1),
  minimumRto: time('Least retransmission timeout', 1),
  maximumRto: time('Greatest retransmission timeout', 1),
  retriesSuspect: integer('Retransmissions after which the path is suspect (R1 of RFC 1122)', 0, 255),
  retries: integer('Retransmissions after which a connection fails (R2 of RFC 1122)', 1, 255),
  synRetries: integer('Retransmissions of a SYN', 0, 255),
  synAckRetries: integer('Retransmissions of a SYN-ACK', 0, 255),
  orphanRetries: integer('Retransmissions of a connection whose socket is closed', 0, 255),
  userTimeout: time('Longest time that sent data stays unacknowledged (RFC 5482), or 0: as long as the retries last'),
  announceUserTimeout: yes('The user timeout is told to the peer (RFC 5482)'),
  windowProbes: integer('Unanswered probes of a closed window before a connection fails', 1, 255),
  maximumProbeInterval: time('Longest time between probes of a closed window', 1),
  keepAlive: yes('Silent peers are asked whether they live'),
  keepAliveIdle: time('Silence before the first question', 1),
  keepAliveInterval: time('Time between questions', 1),
  keepAliveProbes: integer('Unanswered questions before a connection fails', 1, 255),
  delayedAck: time('Longest delay of an acknowledgment', 0, 500),
  ackEvery: integer('Full segments that are acknowledged at latest', 1, 64),
  quickAcks: integer('Segments acknowledged at once at the start of a connection', 0, 1000),
  ackStretch: integer('Bytes that one acknowledgment covers at most within a burst', 1, LONGEST_BUFFER),
  nagle: choice('When short segments wait', 'minshall', 'rfc896', 'off'),
  sillyWindowOverride: time('Longest wait of silly window avoidance', 0, 60_000),
  notSentLowWater: integer('Unsent bytes above which a stream is not writable; 0: no bound', 0, LONGEST_BUFFER),
  superSegments: yes('Super-frames where the device cuts them'),
  maximumSegment: integer('Largest segment; 0: what the path takes', 0, 65_535),
  timestamps: yes('Timestamps (RFC 7323)'),
  windowScaling: yes('Window scaling (RFC 7323)'),
  ecn: choice('Explicit congestion notification (RFC 3168)', 'active', 'passive', 'off'),
  pathMtuDiscovery: yes('ICMP messages shorten segments (RFC 1191, RFC 8201)'),
  mtuProbing: choice('Probing for the path MTU (RFC 4821)', 'black-hole', 'always', 'off'),
  mtuBaseSegment: integer('Segment size in a black hole (RFC 4821)', 88, 65_535),
  mtuProbeInterval: time('Time until a longer packet is tried again', 1),
  receiveBufferMinimum: buffer('Receive buffer: least bytes'),
  receiveBufferInitial: buffer('Receive buffer: bytes at first'),
  receiveBufferMaximum: buffer('Receive buffer: most bytes'),
  sendBufferMinimum: buffer('Send buffer: least bytes'),
  sendBufferInitial: buffer('Send buffer: bytes at first'),
  sendBufferMaximum: buffer('Send buffer: most bytes'),
  copyBelow: integer('Pushes below so many bytes share frames', 0, 65_535),
  timeWait: time('TIME-WAIT (2 MSL)', 0),
  timeWaitReuse: yes('A new SYN may end TIME-WAIT early (RFC 6191)'),
  finWait2: time('Longest FIN-WAIT-2 of a closed socket', 1),
  linger: { ...time('What close does with unsent data: -1 sends it, 0 resets, more resets after that time', -1) },
  challengeAcks: integer('Challenge acknowledgments of a connection within their period (RFC 5961)', 0, 10_000),
  challengePeriod: time('That period', 1),
}

const optionOf = (setting: string): string => `tcp${setting[0].toUpperCase()}${setting.slice(1)}`

/** -1, which is no time, stays what it is. */
const toOption = (reading: Reading, value: unknown): unknown =>
  reading === 'time' && (value as number) > 0 ? (value as number) / MILLISECOND : value
const fromOption = (milliseconds: number): number => (milliseconds > 0 ? milliseconds * MILLISECOND : milliseconds)

export const tcpSpecs: OptionSpecs = Object.fromEntries(
  (Object.entries(SETTINGS) as [keyof TcpSettings, Setting][]).map(([name, { reading, ...rest }]) => {
    const type = reading === 'time' ? 'number' : reading === 'choice' ? 'string' : reading
    const spec: OptionSpec = { ...rest, type, default: toOption(reading, DEFAULT_TCP_SETTINGS[name]) }
    return [optionOf(name), spec]
  }),
)

/** @throws EINVAL naming the option, or the setting where several do not fit together */
export function readTcp(read: OptionReader): TcpSettings {
  const values = (Object.entries(SETTINGS) as [keyof TcpSettings, Setting][]).map(([name, { reading }]) => {
    const option = optionOf(name)
    if (reading === 'time') return [name, fromOption(read.number(option))]
    if (reading === 'boolean') return [name, read.boolean(option)]
    return [name, reading === 'choice' ? read.choice(option) : read.number(option)]
  })
  return tcpSettings(Object.fromEntries(values) as Partial<TcpSettings>)
}
