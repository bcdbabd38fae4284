import {
  type Clock,
  COLUMN_VLAN,
  ForwardingQueue,
  type NetBurst,
  type NetQueue,
  type NetQueueGrant,
  packetEntries,
  REFUSED,
  VLAN_TAGGED,
  WakeWord,
} from '@parakernel/hal'
import { ByteRing } from './byte-ring.ts'
import { RECORD_HEADER } from './format.ts'
import type { PcapSettings } from './settings.ts'

/** The writer is called when so many bytes wait, and otherwise looks by itself now and then. */
const CALL_WRITER = 65_536
const TAG = 4
/** The two Ethernet addresses, before which a tag cannot stand. */
const ADDRESSES = 12

/**
 * A queue whose packets are copied to a ring. Transmitted ones are copied before the device gets them, because afterwards
 * their frames may be gone, and published when it is known which of them it took.
 */
export class PcapQueue extends ForwardingQueue {
  readonly #clock: Clock
  readonly #settings: PcapSettings
  readonly #ring: ByteRing
  readonly #bell: WakeWord
  readonly #header = new Uint8Array(RECORD_HEADER + ADDRESSES + TAG)
  readonly #headerView = new DataView(this.#header.buffer)
  /** For each packet of the burst under way: its first entry, and where its record starts and ends in the ring. */
  #first = new Int32Array(64)
  #start = new Int32Array(64)
  #end = new Int32Array(64)

  constructor(inner: NetQueue, grant: NetQueueGrant, settings: PcapSettings, clock: Clock) {
    super(inner, grant)
    this.#clock = clock
    this.#settings = settings
    this.#ring = new ByteRing(settings.ring)
    this.#bell = new WakeWord(settings.bell)
  }

  receive(burst: NetBurst): number {
    const count = this.inner.receive(burst)
    if (count === 0) return 0
    this.#stamp()
    let captured = 0
    let missed = 0
    for (let at = 0; at < count; ) {
      const entries = packetEntries(burst, at)
      if (this.#record(burst, at, entries)) captured++
      else missed++
      at += entries
    }
    this.#publish(captured, missed)
    return count
  }

  transmit(burst: NetBurst, start = 0): number {
    if (start >= burst.count) return this.inner.transmit(burst, start)
    if (this.#first.length < burst.count) this.#grow(burst.count)
    const ring = this.#ring
    const from = ring.position
    this.#stamp()
    let packets = 0
    for (let at = start; at < burst.count; ) {
      const entries = packetEntries(burst, at)
      this.#first[packets] = at
      this.#start[packets] = ring.position
      if (this.#isReadable(burst, at, entries)) this.#record(burst, at, entries)
      this.#end[packets++] = ring.position
      at += entries
    }
    const done = this.inner.transmit(burst, start)
    // Close up over the records of what was not sent.
    let to = from
    let captured = 0
    let missed = 0
    for (let i = 0; i < packets && this.#first[i] < start + done; i++) {
      if ((burst.flags[this.#first[i]] & REFUSED) !== 0) continue
      const length = (this.#end[i] - this.#start[i]) | 0
      if (length === 0) missed++
      else captured++
      if (to !== this.#start[i]) ring.moveBack(to, this.#start[i], length)
      to = (to + length) | 0
    }
    ring.position = to
    this.#publish(captured, missed)
    return done
  }

  override detach(): void {
    this.inner.detach()
    this.#ring.drain(this.#settings.fd, 1_000)
  }

  /** Time and other words that all records of a burst share. */
  #stamp(): void {
    const now = this.#clock.now()
    const whole = Math.floor(now / 1e9)
    let seconds = whole + this.#settings.epochSeconds
    let nanoseconds = Math.floor(now - whole * 1e9) + this.#settings.epochNanoseconds
    if (nanoseconds >= 1e9) {
      nanoseconds -= 1e9
      seconds++
    }
    this.#headerView.setUint32(0, seconds, true)
    this.#headerView.setUint32(4, nanoseconds, true)
  }

  /** Copies one packet to the ring, a tag that the device took out put back in; false when it does not fit. */
  #record(burst: NetBurst, at: number, entries: number): boolean {
    const { pool } = this
    let length = 0
    for (let i = at; i < at + entries; i++) length += burst.length[i]
    const tagged =
      (burst.flags[at] & VLAN_TAGGED) !== 0 && (burst.columns & COLUMN_VLAN) !== 0 && burst.length[at] >= ADDRESSES
    if (tagged) length += TAG
    const kept = Math.min(length, this.#settings.snapLength)
    if (!this.#ring.fits(RECORD_HEADER + kept)) return false
    this.#headerView.setUint32(8, kept, true)
    this.#headerView.setUint32(12, length, true)
    let left = kept
    let skip = 0
    if (tagged) {
      const start = pool.address(burst.frame[at]) + burst.offset[at]
      for (let i = 0; i < ADDRESSES; i++) this.#header[RECORD_HEADER + i] = pool.bytes[start + i]
      this.#headerView.setUint16(RECORD_HEADER + ADDRESSES, 0x8100)
      this.#headerView.setUint16(RECORD_HEADER + ADDRESSES + 2, burst.vlan[at])
      const put = Math.min(left, ADDRESSES + TAG)
      this.#ring.put(this.#header, 0, RECORD_HEADER + put)
      left -= put
      skip = ADDRESSES
    } else this.#ring.put(this.#header, 0, RECORD_HEADER)
    for (let i = at; i < at + entries && left > 0; i++) {
      const put = Math.min(left, burst.length[i] - skip)
      this.#ring.put(pool.bytes, pool.address(burst.frame[i]) + burst.offset[i] + skip, put)
      left -= put
      skip = 0
    }
    return true
  }

  /** A bad descriptor has no bytes to copy; the device will refuse it. */
  #isReadable(burst: NetBurst, at: number, entries: number): boolean {
    const { pool } = this
    for (let i = at; i < at + entries; i++) {
      const offset = burst.offset[i]
      const length = burst.length[i]
      if (!pool.holds(burst.frame[i]) || offset < 0 || length <= 0 || offset + length > pool.frameSize) return false
    }
    return true
  }

  #publish(captured: number, missed: number): void {
    if (this.#ring.publish(captured, missed) > CALL_WRITER) this.#bell.notify()
  }

  #grow(count: number): void {
    this.#first = new Int32Array(count)
    this.#start = new Int32Array(count)
    this.#end = new Int32Array(count)
  }
}
