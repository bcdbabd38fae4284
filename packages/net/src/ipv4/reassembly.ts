import { copyBytes } from '@parakernel/hal'
import { DUPLICATE, FragmentList, OVERLAP } from '../fragment-list.ts'
import { type PacketMemory, packetMemory } from '../packet-memory.ts'
import {
  DROP_IP_FRAGMENT_EXHAUSTED,
  DROP_IP_FRAGMENT_MISALIGNED,
  DROP_IP_FRAGMENT_OVERLAP,
  DROP_IP_FRAGMENT_TINY,
  DROP_IP_FRAGMENT_TOO_LONG,
} from '../statistics/counters.ts'
import type { Ipv4Address } from './address.ts'
import * as ipv4 from './wire.ts'

export interface ReassemblyLimits {
  /** Datagrams in reassembly at a time; each takes 64 KiB at most. */
  readonly datagrams: number
  /** Of these, from one source. */
  readonly perSource: number
  /** Fragments of one datagram. 128 let a full 64 KiB through a path of 576 bytes. */
  readonly fragments: number
  /** Nanoseconds from the first fragment on; it is not extended (RFC 1122 section 3.3.2). */
  readonly timeout: number
}

export const FRAGMENT_KEPT = 0
export const FRAGMENT_COMPLETE = 1

/** The shortest first fragment that is believed: it must hold a whole transport header (RFC 1858 section 3, for UDP and ICMP). */
const LEAST_FIRST = 8
/** What a time-exceeded message quotes: the longest header and 8 bytes. */
const QUOTE = 68

/** One datagram in the making; its list covers the payload. */
export class PartialDatagram extends FragmentList {
  source: Ipv4Address = 0
  destination: Ipv4Address = 0
  identifier = 0
  protocol = 0
  deadline = 0
  /** An overlap was seen: all of the datagram is refused, what came and what will come (RFC 5722). */
  poisoned = false
  /** It came to a link-layer group address, so that no ICMP error may answer it. */
  linkGroup = false
  /** Header and first 8 bytes of the fragment at offset 0; empty until it is here. */
  quoteLength = 0
  readonly quote = new Uint8Array(QUOTE)
  /** The payload, from address 0 on. Shared memory, because the functions that read it also read frames. */
  readonly memory: PacketMemory = packetMemory(new SharedArrayBuffer(65_536))
}

/**
 * IPv4 reassembly (RFC 791 section 3.2, RFC 815) that an attacker cannot turn against its host: a fixed number of
 * datagrams, a bound for each source, a bound on fragments, no fragment that overlaps another, none too small to hold a
 * transport header, none that ends beyond 65,535 bytes. Fragments are copied, so that they hold no receive frames.
 */
export class Reassembly {
  /** Datagrams that gave way to newer ones. */
  displaced = 0
  readonly #limits: ReassemblyLimits
  readonly #active: PartialDatagram[] = []
  readonly #spare: PartialDatagram[] = []
  #complete: PartialDatagram | undefined

  constructor(limits: ReassemblyLimits) {
    this.#limits = limits
  }

  /** Datagrams in reassembly. */
  get size(): number {
    return this.#active.length
  }

  /** The datagram that the last `FRAGMENT_COMPLETE` finished; valid until the next `insert`. */
  get complete(): PartialDatagram {
    if (this.#complete === undefined) throw new RangeError('no datagram is complete')
    return this.#complete
  }

  /**
   * Takes one fragment whose header, at `at`, has been checked. Returns `FRAGMENT_KEPT`, `FRAGMENT_COMPLETE`, or the drop counter
   * of the rule that it broke.
   */
  insert(memory: PacketMemory, at: number, linkGroup: boolean, now: number): number {
    const { view } = memory
    const header = ipv4.headerLength(view, at)
    const length = ipv4.totalLength(view, at) - header
    const field = ipv4.fragment(view, at)
    const start = (field & ipv4.OFFSET_MASK) << 3
    const more = (field & ipv4.MORE_FRAGMENTS) !== 0
    const end = start + length
    if (length === 0 || (more && (length & 7) !== 0)) return DROP_IP_FRAGMENT_MISALIGNED
    if (end + ipv4.HEADER_LENGTH > ipv4.MAX_LENGTH) return DROP_IP_FRAGMENT_TOO_LONG
    if (start === 0 ? length < LEAST_FIRST : start === 8 && ipv4.protocol(view, at) === ipv4.PROTOCOL_TCP) {
      return DROP_IP_FRAGMENT_TINY
    }

    const datagram = this.#find(view, at) ?? this.#begin(view, at, now)
    if (datagram.poisoned) return DROP_IP_FRAGMENT_OVERLAP
    const place = datagram.placeOf(start, end, more)
    if (place === DUPLICATE) return FRAGMENT_KEPT
    if (place === OVERLAP) {
      datagram.poisoned = true
      return DROP_IP_FRAGMENT_OVERLAP
    }
    if (datagram.fragments === this.#limits.fragments) {
      datagram.poisoned = true
      return DROP_IP_FRAGMENT_EXHAUSTED
    }
    datagram.add(place, start, end, more)
    copyBytes(memory.bytes, at + header, length, datagram.memory.bytes, start)
    datagram.linkGroup ||= linkGroup
    if (start === 0) {
      datagram.quoteLength = header + Math.min(length, 8)
      datagram.quote.set(memory.bytes.subarray(at, at + datagram.quoteLength))
    }
    if (datagram.received !== datagram.total) return FRAGMENT_KEPT
    this.#complete = datagram
    this.#end(datagram)
    return FRAGMENT_COMPLETE
  }

  /** Ends datagrams whose time is over; `expired` sees each one, except those that were refused already. */
  expire(now: number, expired: (datagram: PartialDatagram) => void): void {
    // The oldest stands first, and all have the same lifetime.
    while (this.#active.length > 0 && this.#active[0].deadline <= now) {
      const datagram = this.#active[0]
      this.#end(datagram)
      if (!datagram.poisoned) expired(datagram)
    }
  }

  nextEvent(): number {
    return this.#active.length > 0 ? this.#active[0].deadline : Number.POSITIVE_INFINITY
  }

  #find(view: DataView, at: number): PartialDatagram | undefined {
    const source = ipv4.source(view, at)
    const destination = ipv4.destination(view, at)
    const identifier = ipv4.identifier(view, at)
    const protocol = ipv4.protocol(view, at)
    for (const d of this.#active) {
      if (
        d.identifier === identifier &&
        d.source === source &&
        d.destination === destination &&
        d.protocol === protocol
      ) {
        return d
      }
    }
    return undefined
  }

  /** A new datagram. When the table or the source's share is full the oldest there gives way: it is the least likely to complete. */
  #begin(view: DataView, at: number, now: number): PartialDatagram {
    const source = ipv4.source(view, at)
    const ofSource = this.#active.filter((d) => d.source === source)
    if (ofSource.length >= this.#limits.perSource) this.#giveWay(ofSource[0])
    else if (this.#active.length >= this.#limits.datagrams) this.#giveWay(this.#active[0])
    const datagram = this.#spare.pop() ?? new PartialDatagram(this.#limits.fragments)
    datagram.source = source
    datagram.destination = ipv4.destination(view, at)
    datagram.identifier = ipv4.identifier(view, at)
    datagram.protocol = ipv4.protocol(view, at)
    datagram.clear()
    datagram.quoteLength = 0
    datagram.poisoned = false
    datagram.linkGroup = false
    datagram.deadline = now + this.#limits.timeout
    this.#active.push(datagram)
    return datagram
  }

  #giveWay(datagram: PartialDatagram): void {
    this.displaced++
    this.#end(datagram)
  }

  #end(datagram: PartialDatagram): void {
    this.#active.splice(this.#active.indexOf(datagram), 1)
    this.#spare.push(datagram)
  }
}
