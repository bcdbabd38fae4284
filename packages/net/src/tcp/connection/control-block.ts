import type { ErrorCode, FramePool } from '@parakernel/hal'
import { ReceiveTuning, SendTuning } from '../buffer/auto-tuning.ts'
import { MemoryBudget, type TcpMemory } from '../buffer/memory-budget.ts'
import { ReceiveQueue } from '../buffer/receive-queue.ts'
import { SendQueue } from '../buffer/send-queue.ts'
import { createCongestionControl } from '../congestion/create.ts'
import type { TcpCounters } from '../counters.ts'
import { LossRecovery } from '../recovery/loss-recovery.ts'
import type { Sequence } from '../sequence.ts'
import type { TcpSettings } from '../settings.ts'
import { CLOSED, type State } from '../state.ts'
import { Timers } from '../timers.ts'
import type { PathSearch } from './path/path-search.ts'
import { defaultSegment, type PathLimits } from './path-limits.ts'

/** What RST a connection owes: none, `<SEQ><CTL=RST>`, or `<SEQ><ACK><CTL=RST,ACK>`. */
export const RESET_NONE = 0
export const RESET_BARE = 1
export const RESET_ACK = 2

/** A segment that is owed for the sake of its answer: a window probe, a keepalive, or the SYN or SYN+ACK once more. */
export const ASK_NOTHING = 0
export const ASK_WINDOW = 1
export const ASK_ALIVE = 2
export const ASK_SYN = 3

/**
 * The variables of one connection (RFC 9293 section 3.3.1) and the nouns that it stands on. Fields only: the stages of
 * input and output are functions over it, each in a file of its own. RFC names are in the comments.
 */
export class ControlBlock {
  settings: TcpSettings
  readonly path: PathLimits
  readonly counters: TcpCounters
  readonly budget: MemoryBudget
  sendTuning: SendTuning
  receiveTuning: ReceiveTuning
  readonly sendQueue: SendQueue
  readonly receiveQueue: ReceiveQueue
  readonly recovery: LossRecovery
  readonly timers: Timers

  state: State = CLOSED
  /** `EVENT_*`, ORed; the socket layer clears it. */
  events = 0
  /** Why the connection ended, with `EVENT_FAILED`. */
  failure: ErrorCode | undefined = undefined
  /**
   * What ICMP said of the path without ending the connection: the reason if it ends by a timeout (RFC 1122 section
   * 4.2.3.9).
   */
  softError: ErrorCode | undefined = undefined
  /** Something happened since `dispatch` last found nothing to send: it has to look again. */
  stirred = false
  /** Opened by the peer's SYN (RFC 9293 section 3.10.7.4: a RST or SYN in SYN-RECEIVED means another thing then). */
  passive = false
  /** No socket holds the connection: nobody will read, and it ends by itself. */
  orphaned = false
  /** SND.UNA of an orphan when its peer last took a whole segment. */
  orphanMark = 0

  // Sending
  /** ISS. */
  initialSend: Sequence = 0
  /** SND.UNA. */
  sendUna: Sequence = 0
  /** SND.NXT; never goes back, retransmission is the business of `recovery`. */
  sendNext: Sequence = 0
  /** SND.WND in bytes. */
  sendWindow = 0
  /** MAX.SND.WND (RFC 5961 section 5.2, RFC 1122 section 4.2.3.4). */
  sendWindowLargest = 0
  /** SND.WL1, SND.WL2. */
  sendWl1: Sequence = 0
  sendWl2: Sequence = 0
  /** Snd.Wind.Shift of RFC 7323. */
  sendScale = 0
  /** Payload of a full segment: Eff.snd.MSS (RFC 9293 section 3.7.1), less what timestamps take. */
  segmentSize: number
  /** SendMSS: the peer's option. */
  remoteMss: number
  /** End of the last segment sent that was not full: what the Minshall variant of Nagle waits for. */
  shortEnd: Sequence = 0
  /**
   * The user closed: a FIN comes after all bytes. `finSent`: it has its place in the sequence space, before SND.NXT.
   */
  finQueued = false
  finSent = false
  /** One octet at SND.NXT was sent as a probe and is not counted in SND.NXT; the peer may have taken it. */
  probeSent = false
  /** What `TIMER_WINDOW` waits for: true, a closed window to be probed; false, a small one to be used. */
  windowClosed = false
  /** Window probes since the window closed: their interval doubles. */
  windowProbes = 0
  /** Window probes and keepalives in a row that nothing was heard after. */
  unanswered = 0
  /** The silly window avoidance has waited long enough: the next segment may be short. */
  overridden = false
  /** `canWrite` was 0 when somebody asked: the socket layer waits for `EVENT_WRITABLE`. */
  wantsRoom = false

  // Receiving
  /** IRS. */
  initialReceive: Sequence = 0
  /** RCV.NXT, the peer's FIN included. */
  receiveNext: Sequence = 0
  /** The largest RCV.NXT + RCV.WND that was ever told: never goes back, so that the window does not shrink. */
  receiveRight: Sequence = 0
  /** Rcv.Wind.Shift. */
  receiveScale = 0
  /** Last.ACK.sent of RFC 7323. */
  lastAck: Sequence = 0
  /** Longest payload seen, up to what we announced: what a full segment of the peer is. */
  remoteSegment = 0

  // Options
  windowScaling = false
  hasTimestamps = false
  sack = false
  /** TS.Recent. */
  timestampRecent = 0
  /** ns; that of the settings, or agreed with the peer (RFC 5482). */
  userTimeout: number

  // ECN (RFC 3168)
  /** SYN_SENT: our SYN offered it. Afterwards: both agreed. */
  ecn = false
  /** Every ACK carries ECE until a CWR comes (section 6.1.3). */
  ecnEcho = false
  /** The last data carried a mark. */
  marked = false

  // What is owed
  ackNow = false
  /** ACKs that are owed beyond that one, for senders without SACK that count duplicates. */
  duplicateAcks = 0
  /** Segments that are still acknowledged at once. */
  quickAcks: number
  reset = RESET_NONE
  resetSequence: Sequence = 0
  ask = ASK_NOTHING
  /** Challenge ACKs in this period (RFC 5961 section 7), and its beginning in ms, int32. */
  challenges = 0
  challengesSince = 0

  // Path MTU
  /** Longest packet that was acknowledged (RFC 5927 section 7.2), and a longer one whose segment ends at `packetSentEnd`. */
  packetAcked = 0
  packetSent = 0
  packetSentEnd: Sequence = 0
  search: PathSearch | undefined = undefined

  constructor(settings: TcpSettings, pool: FramePool, memory: TcpMemory, path: PathLimits, counters: TcpCounters) {
    this.settings = settings
    this.path = path
    this.counters = counters
    this.budget = new MemoryBudget(memory, settings.receiveBufferInitial)
    this.sendTuning = new SendTuning(settings.sendBufferInitial, settings.sendBufferMaximum, memory)
    this.receiveTuning = new ReceiveTuning(settings.receiveBufferInitial, settings.receiveBufferMaximum, this.budget)
    this.sendQueue = new SendQueue(pool, settings.copyBelow, this.budget)
    this.receiveQueue = new ReceiveQueue(pool, this.budget)
    this.timers = new Timers(memory.timers)
    this.recovery = new LossRecovery(settings, createCongestionControl(settings))
    this.remoteMss = defaultSegment(path.family)
    this.segmentSize = this.remoteMss
    this.userTimeout = settings.userTimeout
    this.quickAcks = settings.quickAcks
  }
}

export function count(c: ControlBlock, counter: number): void {
  c.counters.values[counter]++
}
