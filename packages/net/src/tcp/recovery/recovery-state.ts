import type { CongestionControl } from '../congestion/congestion-control.ts'
import type { TcpSettings } from '../settings.ts'
import type { DuplicateCount } from './duplicate-count.ts'
import { Flight } from './flight.ts'
import type { ProportionalRateReduction } from './proportional-rate-reduction.ts'
import type { Rack } from './rack.ts'
import { Reordering } from './reordering.ts'
import { RoundTrip } from './round-trip.ts'
import { SpuriousDetection } from './spurious.ts'
import type { TailLossProbe } from './tail-loss-probe.ts'
import type { TransmitRecords } from './transmit-records.ts'
import { WindowUsage } from './window-usage.ts'

/** Nothing is wrong, or nothing that is certain yet. */
export const PHASE_OPEN = 0
/** The window is being reduced for an ECN echo (RFC 3168). */
export const PHASE_REDUCING = 1
/** Fast recovery (RFC 5681, RFC 6582, RFC 6675). */
export const PHASE_RECOVERY = 2
/** After a retransmission timeout. */
export const PHASE_LOSS = 3

export const NEVER = Number.POSITIVE_INFINITY

/**
 * The variables of loss recovery and the nouns that it stands on. Fields only: what happens to them is in functions, a file
 * for each occasion (`transmit`, `acknowledge`, `expire`), and `LossRecovery` is the face that the connection sees.
 */
export class RecoveryState {
  readonly congestion: CongestionControl

  /** Set by the connection: what it adds to milliseconds for its timestamps (see `timestampAt`). */
  timestampOffset = 0
  /** When `expired` has to be called, in ns; `Infinity`: never. */
  deadline = NEVER
  /** Timeouts in a row without an acknowledgment of new data (0: none); for R1 and R2 of RFC 1122. */
  backoffs = 0
  phase = PHASE_OPEN

  // Results of the last `acknowledged`
  newlyAcked = 0
  newlySacked = 0
  isDuplicate = false
  /** ns; NaN when the acknowledgment gave none. */
  rttSample = Number.NaN
  /** ECN: the next segment with new data carries CWR (RFC 3168 section 6.1.2); the connection clears it when it has sent one. */
  owesCwr = false

  // Results of the last `nextRetransmission`
  retransmitSequence = 0
  retransmitLength = 0

  // Counted over the life of the connection
  /** Bytes and segments sent again; retransmissions that were found superfluous; timeouts; probes. */
  retransmittedBytes = 0
  retransmissions = 0
  undone = 0
  timeouts = 0
  probes = 0

  readonly settings: TcpSettings
  readonly usage = new WindowUsage()
  readonly roundTrip: RoundTrip
  readonly reordering = new Reordering()
  /** `Flight.NONE` while nothing is in flight; `restingAt` is SND.UNA then. */
  flight = Flight.NONE
  restingAt = 0
  /** Made by the first recovery. */
  spurious = SpuriousDetection.NONE

  mss = 0
  sack = false
  timestamps = false
  /** The SYN is not acknowledged: there is no congestion control to speak of yet. */
  isOpening = true
  /** SND.NXT when the present reduction, recovery or loss began; the phase ends when SND.UNA reaches it. */
  recoveryPoint = 0
  /** SND.UNA has to be beyond it for duplicates to start another recovery (RFC 6582 section 3.2 step 1, `recover`). */
  recover = 0
  hasRecover = false
  /** The retransmission timer; `NEVER`: off. */
  timeoutAt = NEVER
  /** The timer expired: the first retransmission goes out whatever the window is. */
  isForced = false
  /** The window in which a tail probe may be sent again: a round trip was measured since the last (RFC 8985 section 7.3). */
  measuredSinceProbe = true
  /** Bytes of new data that F-RTO may send (RFC 5682 section 2 step 2b). */
  forwardCredit = 0
  /** Reports of duplicates (RFC 2883), at most as many as there were retransmissions. */
  duplicatesReported = 0

  constructor(settings: TcpSettings, congestion: CongestionControl) {
    this.settings = settings
    this.congestion = congestion
    this.roundTrip = new RoundTrip(settings)
  }

  get records(): TransmitRecords {
    return this.flight.records
  }

  get rack(): Rack {
    return this.flight.rack
  }

  get probe(): TailLossProbe {
    return this.flight.probe
  }

  get reduction(): ProportionalRateReduction {
    return this.flight.reduction
  }

  get duplicates(): DuplicateCount {
    return this.flight.duplicates
  }

  /** RFC 6675's pipe; without SACK each duplicate acknowledgment took a segment out of it. */
  get bytesInFlight(): number {
    const { records, duplicates } = this.flight
    return Math.max(records.pipe - duplicates.bytes, 0)
  }
}

/** Something is about to be in flight, or to be heard of. */
export function wake(r: RecoveryState): void {
  if (r.flight === Flight.NONE) r.flight = Flight.begin(r.restingAt)
}

/** Gives the flight back when nothing more is to be learnt from it. */
export function rest(r: RecoveryState): void {
  const { flight } = r
  if (!flight.records.isEmpty || r.phase !== PHASE_OPEN || flight.probe.isOutstanding) return
  r.restingAt = flight.records.next
  r.flight = Flight.NONE
  flight.end()
}
