import { copyBytes } from '@parakernel/hal'
import type { IpWords } from '@parakernel/queue'
import { DUPLICATE, FragmentList, OVERLAP } from '../fragment-list.ts'
import { HEADER_FIELD, INCOMPLETE_CHAIN } from '../icmpv6/wire.ts'
import { type PacketMemory, packetMemory } from '../packet-memory.ts'
import { copy, same } from './address.ts'
import {
  DROP_IP6_FRAGMENT_EXHAUSTED,
  DROP_IP6_FRAGMENT_INCOMPLETE,
  DROP_IP6_FRAGMENT_MISALIGNED,
  DROP_IP6_FRAGMENT_OVERLAP,
  DROP_IP6_FRAGMENT_TOO_LONG,
} from './counters.ts'
import { type HeaderChain, isChainComplete } from './extension-headers.ts'
import * as fragment from './fragment.ts'
import * as ipv6 from './wire.ts'

export interface Ipv6ReassemblyLimits {
  /** Datagrams in reassembly at a time; each takes 66 KiB at most. */
  readonly datagrams: number
  /** Of these, from one source. */
  readonly perSource: number
  /** Fragments of one datagram. */
  readonly fragments: number
  /** Nanoseconds from the first fragment on: 60 s in RFC 8200 section 4.5. */
  readonly timeout: number
}

export const FRAGMENT_KEPT = -1
export const FRAGMENT_COMPLETE = -2

/** Most bytes before the fragmentable part: what eight headers of ordinary length take. */
const LONGEST_PREFIX = 512
/** What a time-exceeded message can quote within 1280 bytes. */
const LONGEST_QUOTE = ipv6.LEAST_MTU - ipv6.HEADER_LENGTH - 8

/** One datagram in the making; its list covers the fragmentable part. */
export class PartialDatagram6 extends FragmentList {
  readonly source: IpWords = new Int32Array(4)
  readonly destination: IpWords = new Int32Array(4)
  identification = 0
  deadline = 0
  /** An overlap was seen: all of the datagram is refused, what came and what will come (RFC 5722 section 4). */
  poisoned = false
  /** It came to a link-layer group address. */
  linkGroup = false
  /** ECN fields that were seen: bit 0 not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
  ecnSeen = 0
  /** The first fragment as it came, for a time-exceeded message; empty until it is here. */
  quoteLength = 0
  readonly quote = new Uint8Array(LONGEST_QUOTE)
  /** Length of the headers before the fragmentable part, 0 until the first fragment is here. */
  prefixLength = 0
  /**
   * The headers end at `LONGEST_PREFIX`, where the fragmentable part begins, so that the whole packet stands in one piece
   * when all is here. Shared memory, because the functions that read it also read frames.
   */
  readonly memory: PacketMemory = packetMemory(new SharedArrayBuffer(LONGEST_PREFIX + 65_536))

  /** Address of the reassembled packet in `memory`. */
  get packet(): number {
    return LONGEST_PREFIX - this.prefixLength
  }

  /** Its length. */
  get length(): number {
    return this.prefixLength + this.total
  }
}

/**
 * IPv6 reassembly (RFC 8200 section 4.5) that an attacker cannot turn against its host: a fixed number of datagrams, a bound
 * for each source, a bound on fragments, and no datagram of which two fragments overlap (RFC 5722). Fragments are copied, so
 * that they hold no receive frames.
 */
export class Ipv6Reassembly {
  /** Datagrams that gave way to newer ones. */
  displaced = 0
  readonly #limits: Ipv6ReassemblyLimits
  readonly #active: PartialDatagram6[] = []
  readonly #spare: PartialDatagram6[] = []
  readonly #source: IpWords = new Int32Array(4)
  readonly #destination: IpWords = new Int32Array(4)
  #complete: PartialDatagram6 | undefined

  constructor(limits: Ipv6ReassemblyLimits) {
    this.#limits = limits
  }

  /** Datagrams in reassembly. */
  get size(): number {
    return this.#active.length
  }

  /** The datagram that the last `FRAGMENT_COMPLETE` finished; valid until the next `insert`. */
  get complete(): PartialDatagram6 {
    if (this.#complete === undefined) throw new RangeError('no datagram is complete')
    return this.#complete
  }

  /**
   * Takes one fragment: the packet at `packet`, whose headers up to the fragment header `chain` describes. Returns
   * `FRAGMENT_KEPT`, `FRAGMENT_COMPLETE`, or the drop counter of the rule that it broke; `chain.problem` then tells what the
   * sender is to hear.
   * @param end one past the packet's last byte
   */
  insert(
    memory: PacketMemory,
    packet: number,
    end: number,
    chain: HeaderChain,
    linkGroup: boolean,
    now: number,
  ): number {
    const { view } = memory
    const header = chain.at
    const data = header + fragment.HEADER_LENGTH
    const field = fragment.field(view, header)
    const start = field & fragment.OFFSET_MASK
    const more = (field & fragment.MORE_FRAGMENTS) !== 0
    const length = end - data
    const prefix = header - packet
    if (more && (length & 7) !== 0) {
      return problem(chain, HEADER_FIELD, packet + ipv6.PAYLOAD_LENGTH, DROP_IP6_FRAGMENT_MISALIGNED)
    }
    if (length <= 0) return DROP_IP6_FRAGMENT_MISALIGNED
    if (prefix - ipv6.HEADER_LENGTH + start + length > ipv6.MAX_PAYLOAD) {
      return problem(chain, HEADER_FIELD, header + fragment.OFFSET_FIELD, DROP_IP6_FRAGMENT_TOO_LONG)
    }
    if (prefix > LONGEST_PREFIX) return DROP_IP6_FRAGMENT_TOO_LONG
    if (start === 0 && !isChainComplete(view, fragment.nextHeader(view, header), data, end)) {
      return problem(chain, INCOMPLETE_CHAIN, packet, DROP_IP6_FRAGMENT_INCOMPLETE)
    }

    ipv6.readAddress(view, packet + ipv6.SOURCE, this.#source)
    ipv6.readAddress(view, packet + ipv6.DESTINATION, this.#destination)
    const datagram = this.#find(fragment.identification(view, header)) ?? this.#begin(view, header, now)
    if (datagram.poisoned) return DROP_IP6_FRAGMENT_OVERLAP
    const place = datagram.placeOf(start, start + length, more)
    if (place === DUPLICATE) return FRAGMENT_KEPT
    if (place === OVERLAP) {
      datagram.poisoned = true
      return DROP_IP6_FRAGMENT_OVERLAP
    }
    if (datagram.fragments === this.#limits.fragments) {
      datagram.poisoned = true
      return DROP_IP6_FRAGMENT_EXHAUSTED
    }
    datagram.add(place, start, start + length, more)
    copyBytes(memory.bytes, data, length, datagram.memory.bytes, LONGEST_PREFIX + start)
    datagram.linkGroup ||= linkGroup
    datagram.ecnSeen |= 1 << (ipv6.trafficClass(view, packet) & 3)
    if (start === 0) keepFirst(datagram, memory, packet, end, header, chain.nextHeaderAt)
    if (datagram.received !== datagram.total) return FRAGMENT_KEPT
    // Reassembled under a longer chain of headers than the one that was checked, it may be too long after all.
    if (datagram.length - ipv6.HEADER_LENGTH > ipv6.MAX_PAYLOAD) {
      datagram.poisoned = true
      return DROP_IP6_FRAGMENT_TOO_LONG
    }
    finish(datagram)
    this.#complete = datagram
    this.#end(datagram)
    return FRAGMENT_COMPLETE
  }

  /** Ends datagrams whose time is over; `expired` sees each one, except those that were refused already. */
  expire(now: number, expired: (datagram: PartialDatagram6) => void): void {
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

  /** By source, destination and identification: the next header is no part of it (RFC 8200 section 4.5). */
  #find(identification: number): PartialDatagram6 | undefined {
    for (const d of this.#active) {
      if (
        d.identification === identification &&
        same(d.source, this.#source) &&
        same(d.destination, this.#destination)
      ) {
        return d
      }
    }
    return undefined
  }

  /** A new datagram. When the table or the source's share is full the oldest there gives way: it is the least likely to complete. */
  #begin(view: DataView, header: number, now: number): PartialDatagram6 {
    const ofSource = this.#active.filter((d) => same(d.source, this.#source))
    if (ofSource.length >= this.#limits.perSource) this.#giveWay(ofSource[0])
    else if (this.#active.length >= this.#limits.datagrams) this.#giveWay(this.#active[0])
    const datagram = this.#spare.pop() ?? new PartialDatagram6(this.#limits.fragments)
    copy(this.#source, datagram.source)
    copy(this.#destination, datagram.destination)
    datagram.identification = fragment.identification(view, header)
    datagram.clear()
    datagram.quoteLength = 0
    datagram.prefixLength = 0
    datagram.poisoned = false
    datagram.linkGroup = false
    datagram.ecnSeen = 0
    datagram.deadline = now + this.#limits.timeout
    this.#active.push(datagram)
    return datagram
  }

  #giveWay(datagram: PartialDatagram6): void {
    this.displaced++
    this.#end(datagram)
  }

  #end(datagram: PartialDatagram6): void {
    this.#active.splice(this.#active.indexOf(datagram), 1)
    this.#spare.push(datagram)
  }
}

/** The first fragment's headers are the packet's (RFC 8200 section 4.5), with the fragment header taken out of their chain. */
function keepFirst(
  datagram: PartialDatagram6,
  from: PacketMemory,
  packet: number,
  end: number,
  header: number,
  nextHeaderAt: number,
): void {
  datagram.quoteLength = Math.min(end - packet, LONGEST_QUOTE)
  datagram.quote.set(from.bytes.subarray(packet, packet + datagram.quoteLength))
  datagram.prefixLength = header - packet
  const { bytes } = datagram.memory
  bytes.set(from.bytes.subarray(packet, header), datagram.packet)
  bytes[datagram.packet + nextHeaderAt - packet] = fragment.nextHeader(from.view, header)
}

/** Sets what only the whole packet has: its length, and the ECN field of RFC 3168 section 5.3, with CE if any fragment met it. */
function finish(datagram: PartialDatagram6): void {
  const { view } = datagram.memory
  const at = datagram.packet
  view.setUint16(at + ipv6.PAYLOAD_LENGTH, datagram.length - ipv6.HEADER_LENGTH)
  const traffic = ipv6.trafficClass(view, at)
  const CE = 3
  const ecn = (datagram.ecnSeen & (1 << CE)) !== 0 ? CE : traffic & 3
  view.setInt32(at, 0x6000_0000 | (((traffic & 0xfc) | ecn) << 20) | ipv6.flowLabel(view, at) | 0)
}

function problem(chain: HeaderChain, code: number, at: number, reason: number): number {
  chain.problem = code
  chain.problemAt = at
  return reason
}
