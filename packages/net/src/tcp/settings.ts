import { ParakernelError } from '@parakernel/hal'

const MILLISECOND = 1e6
const SECOND = 1e9

/**
 * Every knob of TCP, with the rule that it comes from. Times in nanoseconds, sizes in bytes. Immutable, shared by
 * connections.
 */
export interface TcpSettings {
  // Congestion and loss recovery
  readonly congestionControl: 'cubic' | 'newreno' | 'none'
  /** Segments (RFC 6928). */
  readonly initialWindow: number
  /** HyStart++ instead of the plain end of slow start (RFC 9406). */
  readonly hystart: boolean
  /** Back to the initial window after an idle time of one RTO (RFC 5681 section 4.1, RFC 7661). */
  readonly slowStartAfterIdle: boolean
  /** RFC 3042: a new segment for each of the first two duplicate acknowledgments. */
  readonly limitedTransmit: boolean
  /** RFC 2018; duplicates are reported as RFC 2883 says. */
  readonly sack: boolean
  /** RFC 8985: loss by time, and tail loss probes. Needs SACK. */
  readonly rack: boolean
  readonly tailLossProbe: boolean
  /** Spurious retransmissions are found and undone (RFC 3522, RFC 5682, RFC 3708). */
  readonly undo: boolean
  /** RFC 6298 section 2.1. */
  readonly initialRto: number
  /** RFC 6298 section 2.4 says one second; that is longer than the paths of today need, as every system found. */
  readonly minimumRto: number
  /** RFC 6298 section 2.5: at least 60 seconds. */
  readonly maximumRto: number

  // Giving up
  /** R1 of RFC 1122 section 4.2.3.5: retransmissions after which the path is suspect and its route asked for again. */
  readonly retriesSuspect: number
  /** R2: retransmissions after which the connection fails; at least 100 seconds' worth. */
  readonly retries: number
  /** Retransmissions of a SYN; section 4.2.3.5 asks for three minutes at least, which 7 or more reach. */
  readonly synRetries: number
  readonly synAckRetries: number
  /** Retransmissions of a connection that no socket holds any more. */
  readonly orphanRetries: number
  /**
   * RFC 5482 and `TCP_USER_TIMEOUT`: longest time that sent data stays unacknowledged; 0: as long as the retries last.
   */
  readonly userTimeout: number
  /** Whether `userTimeout` is told to the peer, and the peer's taken into account (RFC 5482 section 3.1). */
  readonly announceUserTimeout: boolean
  /**
   * Unanswered probes of a closed window before the connection fails; answered ones never end it (RFC 1122 section
   * 4.2.2.17).
   */
  readonly windowProbes: number
  readonly maximumProbeInterval: number
  readonly keepAlive: boolean
  /** RFC 1122 section 4.2.3.6: at least two hours by default. */
  readonly keepAliveIdle: number
  readonly keepAliveInterval: number
  readonly keepAliveProbes: number

  // Acknowledging
  /** RFC 1122 section 4.2.3.2: below half a second. */
  readonly delayedAck: number
  /** Full segments that are acknowledged at latest (RFC 5681 section 4.2). */
  readonly ackEvery: number
  /**
   * Segments acknowledged at once at the start, and after a gap or an idle time, while the peer's window grows from
   * small.
   */
  readonly quickAcks: number
  /**
   * Bytes that one acknowledgment covers at most when a burst of segments is processed before anything is sent: several
   * are sent for more. As long as what a receiver with GRO covers, so that senders meet nothing new.
   */
  readonly ackStretch: number

  // Sending
  /**
   * `minshall`: a short segment waits only for another short one (draft-minshall-nagle), `rfc896`: for anything
   * unacknowledged.
   */
  readonly nagle: 'minshall' | 'rfc896' | 'off'
  /** RFC 1122 section 4.2.3.4: longest wait of the silly window avoidance. */
  readonly sillyWindowOverride: number
  /** Bytes pushed and not yet sent above which a stream is not writable; 0: no bound of its own. */
  readonly notSentLowWater: number
  /** Super-segments that the device or the stack's last layer cuts. */
  readonly superSegments: boolean
  /** Largest segment announced and sent; 0: what the path takes. */
  readonly maximumSegment: number

  // Options and path
  /** RFC 7323 section 3. */
  readonly timestamps: boolean
  /** RFC 7323 section 2. */
  readonly windowScaling: boolean
  /** RFC 3168: asked for (`active`), agreed to when asked (`passive`), or neither. */
  readonly ecn: 'active' | 'passive' | 'off'
  /** RFC 1191, RFC 8201: ICMP messages shorten segments, validated as RFC 5927 says. */
  readonly pathMtuDiscovery: boolean
  /** RFC 4821: probing when a black hole is suspected, always, or never. */
  readonly mtuProbing: 'black-hole' | 'always' | 'off'
  /** Segment size that is taken when a black hole is found (RFC 4821 section 7.2). */
  readonly mtuBaseSegment: number
  /** Time until a longer packet is tried again (RFC 4821 section 7.7). */
  readonly mtuProbeInterval: number

  // Buffers
  /** The receive buffer starts with the second, and is tuned between the first and the third. Equal: fixed. */
  readonly receiveBufferMinimum: number
  readonly receiveBufferInitial: number
  readonly receiveBufferMaximum: number
  readonly sendBufferMinimum: number
  readonly sendBufferInitial: number
  readonly sendBufferMaximum: number
  /** Pushes shorter than this are copied together, so that small writes do not hold a frame each. */
  readonly copyBelow: number

  // Ending
  /** 2 MSL (RFC 9293 section 3.4.2 says 4 minutes; nobody waits that long). */
  readonly timeWait: number
  /** RFC 1122 section 4.2.2.13, RFC 6191: a new SYN may end TIME-WAIT early. */
  readonly timeWaitReuse: boolean
  /** How long a connection without a socket waits for the peer's FIN in FIN-WAIT-2. */
  readonly finWait2: number
  /** What closing does with unsent data: -1 goes on in the background, 0 resets, more resets after that time. */
  readonly linger: number

  // Defence (RFC 5961)
  /** Challenge ACKs of a connection within `challengePeriod` (section 7). */
  readonly challengeAcks: number
  readonly challengePeriod: number
}

export const DEFAULT_TCP_SETTINGS: TcpSettings = Object.freeze<TcpSettings>({
  congestionControl: 'cubic',
  initialWindow: 10,
  hystart: true,
  slowStartAfterIdle: true,
  limitedTransmit: true,
  sack: true,
  rack: true,
  tailLossProbe: true,
  undo: true,
  initialRto: 1 * SECOND,
  minimumRto: 200 * MILLISECOND,
  maximumRto: 60 * SECOND,
  retriesSuspect: 3,
  retries: 15,
  synRetries: 7,
  synAckRetries: 5,
  orphanRetries: 8,
  userTimeout: 0,
  announceUserTimeout: false,
  windowProbes: 15,
  maximumProbeInterval: 60 * SECOND,
  keepAlive: false,
  keepAliveIdle: 7200 * SECOND,
  keepAliveInterval: 75 * SECOND,
  keepAliveProbes: 9,
  delayedAck: 40 * MILLISECOND,
  ackEvery: 2,
  quickAcks: 16,
  ackStretch: 65_535,
  nagle: 'minshall',
  sillyWindowOverride: 200 * MILLISECOND,
  notSentLowWater: 0,
  superSegments: true,
  maximumSegment: 0,
  timestamps: true,
  windowScaling: true,
  ecn: 'passive',
  pathMtuDiscovery: true,
  mtuProbing: 'black-hole',
  mtuBaseSegment: 1024,
  mtuProbeInterval: 600 * SECOND,
  receiveBufferMinimum: 4096,
  receiveBufferInitial: 262_144,
  receiveBufferMaximum: 6_291_456,
  sendBufferMinimum: 4096,
  sendBufferInitial: 262_144,
  sendBufferMaximum: 4_194_304,
  copyBelow: 512,
  timeWait: 60 * SECOND,
  timeWaitReuse: true,
  finWait2: 60 * SECOND,
  linger: -1,
  challengeAcks: 10,
  challengePeriod: 5 * SECOND,
})

/**
 * The least MSS that is believed and sent: 88 leaves room for data beside the longest header of a minimal IPv4 packet.
 */
export const LEAST_SEGMENT = 88

/**
 * `base` with some settings changed; the result is checked and frozen.
 * @throws EINVAL naming the setting
 */
export function tcpSettings(changes: Partial<TcpSettings> = {}, base: TcpSettings = DEFAULT_TCP_SETTINGS): TcpSettings {
  const settings: TcpSettings = { ...base, ...changes }
  for (const [name, value] of Object.entries(settings) as [keyof TcpSettings, unknown][]) {
    const reference = DEFAULT_TCP_SETTINGS[name]
    if (reference === undefined) throw refused(name, 'there is no such setting')
    if (typeof value !== typeof reference) throw refused(name, `${String(value)} is not a ${typeof reference}`)
    if (typeof value === 'number' && !(value >= (name === 'linger' ? -1 : 0))) {
      throw refused(name, `${value} is less than nothing`)
    }
  }
  const { minimumRto, maximumRto, initialRto, delayedAck, maximumSegment, initialWindow, ackEvery } = settings
  const most = `maximumRto (${maximumRto / MILLISECOND} ms)`
  if (minimumRto <= 0 || minimumRto > maximumRto) {
    throw refused('minimumRto', `${minimumRto / MILLISECOND} ms is not between 0 and ${most}`)
  }
  if (initialRto < minimumRto || initialRto > maximumRto) {
    const least = `minimumRto (${minimumRto / MILLISECOND} ms)`
    throw refused('initialRto', `${initialRto / MILLISECOND} ms is not between ${least} and ${most}`)
  }
  if (delayedAck > 500 * MILLISECOND) throw refused('delayedAck', 'RFC 9293 section 3.8.6.3 allows half a second')
  if (maximumSegment !== 0 && maximumSegment < LEAST_SEGMENT) throw refused('maximumSegment', 'the least is 88')
  if (initialWindow < 1) throw refused('initialWindow', 'the least is one segment')
  if (ackEvery < 1) throw refused('ackEvery', 'the least is 1')
  ordered(settings, 'receiveBufferMinimum', 'receiveBufferInitial', 'receiveBufferMaximum')
  ordered(settings, 'sendBufferMinimum', 'sendBufferInitial', 'sendBufferMaximum')
  return Object.freeze(settings)
}

type SizeName = `receiveBuffer${'Minimum' | 'Initial' | 'Maximum'}` | `sendBuffer${'Minimum' | 'Initial' | 'Maximum'}`

function ordered(settings: TcpSettings, least: SizeName, initial: SizeName, most: SizeName): void {
  if (settings[least] < 1) throw refused(least, 'a buffer holds at least a byte')
  if (settings[least] > settings[initial])
    throw refused(initial, `${settings[initial]} is below ${least}, ${settings[least]}`)
  if (settings[initial] > settings[most])
    throw refused(initial, `${settings[initial]} is above ${most}, ${settings[most]}`)
  // RFC 7323 section 2.3: the longest window is 2^30 - 1 with the largest shift.
  if (settings[most] >= 2 ** 30) throw refused(most, 'windows end at 2^30 - 1')
}

function refused(setting: string, message: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: `tcp setting ${setting}` })
}
