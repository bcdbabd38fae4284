import type { RandomSource } from '../../random.ts'
import type { Handshake } from '../connection/handshake.ts'
import { SipHash } from '../hash/sip-hash.ts'
import type { Instant, Segment } from '../segment.ts'

/** A cookie counts time in these, and is good for the present and the two before: at least two minutes. */
const PERIOD = 60e9
const PERIODS_VALID = 2
/** Bits of the cookie that carry the segment size; above them stands the period. */
const DATA_MASK = 0xff_ffff
/** Segment sizes that a cookie can tell, the longest that is not longer than the peer's; the last is a jumbo frame's. */
const SEGMENT_SIZES = [216, 536, 1220, 1360, 1440, 1452, 1460, 8940] as const

/** Options of the SYN in the low bits of our timestamp. */
const STAMP_BITS = 6
const STAMP_MASK = (1 << STAMP_BITS) - 1
const STAMP_SHIFT = 0x0f
/** This shift count stands for no window scaling; RFC 7323 allows 14 at most. */
const STAMP_NO_SCALE = 15
const STAMP_SACK = 0x10
const STAMP_ECN = 0x20

/**
 * SYN cookies (RFC 4987 section 3.6): the initial sequence number of a SYN+ACK holds all that must be known of the SYN, under a
 * keyed hash, so that nothing is stored until the peer has shown that it can be reached.
 *
 *     cookie = H1(end points) + remote ISN + period * 2^24 + (H2(end points, period) + size index) mod 2^24
 *
 * Window scale, SACK and ECN stand in the low bits of the timestamp that the peer echoes, as Linux does it; without
 * timestamps they are given up.
 */
export class SynCookies {
  readonly #pairHash: SipHash
  readonly #periodHash: SipHash
  readonly #words = new Int32Array(10)

  constructor(random: RandomSource) {
    this.#pairHash = SipHash.random(random)
    this.#periodHash = SipHash.random(random)
  }

  /** The sequence number for the answer to a SYN; undefined for segments so short that no cookie can tell them. */
  make(
    local: Int32Array,
    remote: Int32Array,
    ports: number,
    syn: Segment,
    mss: number,
    now: Instant,
  ): number | undefined {
    let index = -1
    while (index + 1 < SEGMENT_SIZES.length && SEGMENT_SIZES[index + 1] <= mss) index++
    if (index < 0) return undefined
    this.#gather(local, remote, ports)
    const period = periodAt(now)
    const base = (this.#pair() + syn.sequence + (period << 24)) | 0
    return (base + ((this.#ofPeriod(period) + index) & DATA_MASK)) | 0
  }

  /**
   * Whether `ack` acknowledges a cookie of ours that is still good; fills `into` with what it tells. The peer's timestamps and
   * our offset are taken from the arguments.
   */
  check(
    local: Int32Array,
    remote: Int32Array,
    ports: number,
    ack: Segment,
    timestampOffset: number,
    now: Instant,
    into: Handshake,
  ): boolean {
    this.#gather(local, remote, ports)
    const cookie = (ack.acknowledgment - 1) | 0
    const remoteSequence = (ack.sequence - 1) | 0
    const rest = (cookie - this.#pair() - remoteSequence) | 0
    const period = periodAt(now)
    const age = (period - (rest >>> 24)) & 0xff
    if (age > PERIODS_VALID) return false
    const index = ((rest & DATA_MASK) - this.#ofPeriod((period - age) & 0xff)) & DATA_MASK
    if (index >= SEGMENT_SIZES.length) return false
    into.localSequence = cookie
    into.remoteSequence = remoteSequence
    into.mss = SEGMENT_SIZES[index]
    into.retransmissions = 0
    into.sentAt[0] = Number.NaN
    into.timestampOffset = timestampOffset
    into.timestamps = ack.hasTimestamp
    into.timestampRecent = ack.timestampValue
    const stamp = ack.hasTimestamp ? ack.timestampEcho & STAMP_MASK : STAMP_NO_SCALE
    const shift = stamp & STAMP_SHIFT
    into.windowScale = shift === STAMP_NO_SCALE ? -1 : shift
    into.sackPermitted = (stamp & STAMP_SACK) !== 0
    into.ecn = (stamp & STAMP_ECN) !== 0
    return true
  }

  #pair(): number {
    return this.#pairHash.hash(this.#words, 9)
  }

  #ofPeriod(period: number): number {
    this.#words[9] = period
    return this.#periodHash.hash(this.#words, 10)
  }

  #gather(local: Int32Array, remote: Int32Array, ports: number): void {
    const words = this.#words
    for (let i = 0; i < 4; i++) {
      words[i] = local[i]
      words[4 + i] = remote[i]
    }
    words[8] = ports
  }
}

/** The timestamp of a SYN+ACK with a cookie: not later than `stamp`, with the agreed options of the SYN in its low bits. */
export function stampWithOptions(stamp: number, windowScale: number, sack: boolean, ecn: boolean): number {
  const shift = windowScale < 0 ? STAMP_NO_SCALE : windowScale
  const options = shift | (sack ? STAMP_SACK : 0) | (ecn ? STAMP_ECN : 0)
  const stamped = (stamp & ~STAMP_MASK) | options
  return ((stamped - stamp) | 0) > 0 ? (stamped - (1 << STAMP_BITS)) | 0 : stamped
}

function periodAt(now: Instant): number {
  return Math.floor(now[0] / PERIOD) & 0xff
}
