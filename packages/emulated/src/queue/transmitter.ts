import {
  CHECKSUM_PARTIAL,
  CHECKSUM_WANTED,
  type FramePool,
  type Host,
  type NetBurst,
  SEGMENT_ANY,
  TX_INVALID_DESCRIPTORS,
  VLAN_TAGGED,
  WAKE_UPS,
} from '@parakernel/hal'
import type { MemoryKernel } from '../memory/memory-kernel.ts'
import { addressesAt, addressesLength, ETHERNET_HEADER, ETHERTYPE_VLAN, Headers, VLAN_TAG } from '../packet/headers.ts'
import { Segmenter } from '../packet/segmenter.ts'
import { checksumVerdict } from '../packet/transport-checksum.ts'
import {
  DROP_FILTER,
  DROP_NO_FRAME,
  DROP_RING_FULL,
  DROP_TOO_LONG,
  INDIRECTION_ENTRIES,
  SWITCH_COUNTERS,
  SWITCH_FLOODED,
  SWITCH_LEARNED,
  SWITCH_UNDELIVERABLE,
} from '../shared/layout.ts'
import type { NetworkView } from '../shared/network-view.ts'
import {
  RECORD_BYTES,
  RECORD_CHECKSUM_OFFSET,
  RECORD_CHECKSUM_START,
  RECORD_FLAGS,
  RECORD_HASH,
  RECORD_HEADER_LENGTH,
  RECORD_LENGTH,
  RECORD_SEGMENT_SIZE,
  RECORD_TIME,
  RECORD_VLAN,
  RingProducer,
  ringVersion,
} from '../shared/packet-ring.ts'
import type { PortView } from '../shared/port-view.ts'
import { matchRules } from '../steering/rules.ts'
import { toeplitz } from '../steering/toeplitz.ts'

/** Outcome of `send`; anything >= 0 is the counter under which the packet is refused. */
export const SENT = -1
export const FULL = -2

/** What a frame occupies on an Ethernet beside its own bytes: preamble 8, checksum 4, gap 12; and at least 60 bytes. */
const WIRE_OVERHEAD = 24
const WIRE_MINIMUM = 60
/** Source addresses are learned again after this long, so that they do not age while they are in use. */
const RELEARN_FRACTION = 4

/**
 * The hardware between a `transmit` and the receivers' rings, run by the transmitting thread: it looks where a packet goes,
 * does the offloads, and copies the bytes once, into the ring of each queue that gets it.
 *
 * About 50 ns for a packet of 64 bytes without offloads, of which 7 are the copy.
 */
export class Transmitter {
  /** When the last packet that was sent has left the NIC. */
  departure = 0
  /** Bytes of the last packet that was sent. */
  length = 0
  readonly #network: NetworkView
  readonly #port: number
  readonly #queue: number
  readonly #scratch: number
  readonly #pool: FramePool
  readonly #kernel: MemoryKernel
  readonly #counters: Float64Array
  readonly #host: Host | undefined
  readonly #headers = new Headers()
  readonly #segmenter: Segmenter

  readonly #producers: (RingProducer | undefined)[]
  /** Rings written since the last `publish`, by receiving queue. */
  readonly #dirty: Int32Array
  #dirtyCount = 0
  /** Where the packet at hand goes. */
  readonly #targets: Int32Array
  readonly #targetQueues: Int32Array
  readonly #targetHashes: Int32Array
  #targetCount = 0

  /** The packet at hand: in the pool, or gathered in the scratch area. */
  #inPool = true
  #view: DataView
  #bytes: Uint8Array
  #at = 0
  #parsed = false
  #now = 0
  #nowMs = 0
  #linkBusy = 0

  #learnedA = 0
  #learnedB = -1
  #relearnAt = 0

  constructor(
    network: NetworkView,
    port: number,
    queue: number,
    scratch: number,
    pool: FramePool,
    kernel: MemoryKernel,
    counters: Float64Array,
    host: Host | undefined,
  ) {
    const { maxQueues } = network.memory.layout
    this.#network = network
    this.#port = port
    this.#queue = queue
    this.#scratch = scratch
    this.#pool = pool
    this.#kernel = kernel
    this.#counters = counters
    this.#host = host
    this.#segmenter = new Segmenter(network.memory, kernel, this.#headers)
    this.#producers = new Array(maxQueues).fill(undefined)
    this.#dirty = new Int32Array(maxQueues)
    this.#targets = new Int32Array(maxQueues)
    this.#targetQueues = new Int32Array(maxQueues)
    this.#targetHashes = new Int32Array(maxQueues)
    this.#view = pool.view
    this.#bytes = pool.bytes
  }

  /** After a change of the network's tables: which rings are there, and whether the switch still knows this station. */
  refresh(): void {
    const { memory } = this.#network
    for (let queue = 0; queue < memory.layout.maxQueues; queue++) {
      const at = memory.words[memory.layout.ringRef(this.#queue, queue)]
      const producer = this.#producers[queue]
      if (at === 0) this.#producers[queue] = undefined
      else if (producer?.at !== at || producer.version !== ringVersion(memory, at)) {
        this.#producers[queue] = new RingProducer(memory, at)
      }
    }
    this.#learnedB = -1
  }

  /** Before the first packet of a burst. `now` is 0 where the network needs no clock. */
  begin(now: number): void {
    this.#now = now
    this.#nowMs = Math.floor(now / 1e6) | 0
  }

  /** Sends the packet of `entries` entries at entry `i`, which `checkPacket` let pass. */
  send(burst: NetBurst, i: number, entries: number): number {
    const segments = (burst.flags[i] & SEGMENT_ANY) !== 0
    if (entries === 1 && !segments) this.#pointToFrame(burst, i)
    else this.#gather(burst, i, entries)
    if (this.length < ETHERNET_HEADER) return TX_INVALID_DESCRIPTORS
    if (segments && !this.#segmenter.prepare(burst, i, this.#at, this.length)) return TX_INVALID_DESCRIPTORS
    this.#parsed = segments
    const a = this.#view.getInt32(this.#at, true)
    const b = this.#view.getUint16(this.#at + 4, true)
    this.#learn()
    this.#resolve(a, b)
    if (!this.#roomForAll(segments)) return FULL
    this.#depart(segments)
    for (let n = 0; n < this.#targetCount; n++) {
      const port = this.#network.ports[this.#targets[n]]
      if (segments && (port.rxSegment & burst.flags[i]) === 0) this.#deliverSegments(port, n, burst, i)
      else this.#deliver(port, n, burst, i, segments)
    }
    return SENT
  }

  /** After a burst: shows what was written to the receivers, and wakes those that sleep. */
  publish(): void {
    for (let n = 0; n < this.#dirtyCount; n++) {
      const queue = this.#dirty[n]
      this.#producers[queue]?.publish()
      const word = this.#network.wakes.words[queue]
      if (word?.sleeping) {
        word.notify()
        this.#counters[WAKE_UPS]++
        if (this.#host !== undefined && word.eventFd >= 0) this.#host.writeEventFd(word.eventFd)
      }
    }
    this.#dirtyCount = 0
  }

  #pointToFrame(burst: NetBurst, i: number): void {
    this.#inPool = true
    this.#view = this.#pool.view
    this.#bytes = this.#pool.bytes
    this.#at = this.#pool.address(burst.frame[i]) + burst.offset[i]
    this.length = burst.length[i]
  }

  #gather(burst: NetBurst, i: number, entries: number): void {
    let to = this.#scratch
    for (let entry = i; entry < i + entries; entry++) {
      this.#kernel.put(to, this.#pool.address(burst.frame[entry]) + burst.offset[entry], burst.length[entry])
      to += burst.length[entry]
    }
    this.#inPool = false
    this.#view = this.#network.memory.view
    this.#bytes = this.#network.memory.bytes
    this.#at = this.#scratch
    this.length = to - this.#scratch
  }

  #parse(): void {
    if (this.#parsed) return
    this.#parsed = true
    this.#headers.parse(this.#view, this.#at, this.length)
  }

  #learn(): void {
    if (this.#network.memory.reference.direct) return
    const a = this.#view.getInt32(this.#at + 6, true)
    const b = this.#view.getUint16(this.#at + 10, true)
    if (a === this.#learnedA && b === this.#learnedB && this.#nowMs <= this.#relearnAt) return
    if (a & 1) return
    this.#learnedA = a
    this.#learnedB = b
    const { agingMs } = this.#network.memory.reference
    this.#relearnAt = agingMs > 0 ? this.#nowMs + Math.floor(agingMs / RELEARN_FRACTION) : 0x7fff_ffff
    if (this.#network.macTable.learn(a, b, this.#port, this.#nowMs)) this.#countSwitch(SWITCH_LEARNED)
  }

  /** Finds the queues that get the packet; counts those that would, but for a filter or a missing holder. */
  #resolve(a: number, b: number): void {
    const network = this.#network
    const { ports } = network
    this.#targetCount = 0
    const known = (a & 1) === 0 && !network.memory.reference.direct ? network.macTable.lookup(a, b, this.#nowMs) : -1
    if (known >= 0) {
      if (known !== this.#port && ports[known].linkUp) this.#aim(ports[known], a, b)
      else this.#countSwitch(SWITCH_UNDELIVERABLE)
      return
    }
    let reached = 0
    for (let n = 0; n < ports.length; n++) {
      if (n === this.#port || !ports[n].linkUp) continue
      reached++
      this.#aim(ports[n], a, b)
    }
    if (reached === 0) this.#countSwitch(SWITCH_UNDELIVERABLE)
    else if (reached > 1) this.#countSwitch(SWITCH_FLOODED)
  }

  #aim(port: PortView, a: number, b: number): void {
    if (!port.accepts(a, b)) {
      this.#countDrop(port.firstQueue, DROP_FILTER)
      return
    }
    let hash = 0
    let queue = port.firstQueue
    if (port.queues > 1 || port.givesHash) {
      this.#parse()
      if (port.givesHash) hash = this.#hash(port)
      if (port.queues > 1) queue += this.#steer(port, hash)
    }
    if (this.#producers[queue] === undefined) {
      this.#countDrop(queue, DROP_NO_FRAME)
      return
    }
    this.#targets[this.#targetCount] = port.index
    this.#targetQueues[this.#targetCount] = queue
    this.#targetHashes[this.#targetCount++] = hash
  }

  #steer(port: PortView, hash: number): number {
    const { words } = this.#network.memory
    if (port.ruleCount > 0) {
      const queue = matchRules(words, port.rules, port.ruleCount, this.#headers, this.#view, this.#at)
      if (queue >= 0) return queue
    }
    // What is not IP has no hash, and goes to the first queue as on real NICs.
    if (port.rssTable === 0 || this.#headers.family === 0) return 0
    const spread = port.givesHash ? hash : this.#hash(port)
    return words[port.indirection + (spread & (INDIRECTION_ENTRIES - 1))]
  }

  /** Source address, destination address, and the ports where there are any, as Microsoft's RSS hashes them. */
  #hash(port: PortView): number {
    const { family, network, transport, ports } = this.#headers
    if (port.rssTable === 0 || family === 0) return 0
    const { words } = this.#network.memory
    const length = addressesLength(family)
    const start = this.#at + network + addressesAt(family)
    const addresses = toeplitz(words, port.rssTable, this.#bytes, start, length, 0)
    return ports ? addresses ^ toeplitz(words, port.rssTable, this.#bytes, this.#at + transport, 4, length) : addresses
  }

  /** With flow control a packet waits until every queue that asked for it has room. */
  #roomForAll(segments: boolean): boolean {
    for (let n = 0; n < this.#targetCount; n++) {
      if (!this.#network.ports[this.#targets[n]].flowControl) continue
      const { count, headerLength, payload } = this.#segmenter
      const packets = segments ? count : 1
      const bytes = segments ? packets * (headerLength + VLAN_TAG) + payload : this.length + VLAN_TAG
      if (!this.#producers[this.#targetQueues[n]]!.fits(packets, bytes)) return false
    }
    return true
  }

  /** Puts the packet on this NIC's link. */
  #depart(segments: boolean): void {
    const own = this.#network.ports[this.#port]
    this.departure = this.#now
    if (!this.#network.timed) return
    const { doubles } = this.#network.memory
    const perByte = this.#linkNsPerByte()
    this.#linkBusy = perByte === 0 ? this.#now : Math.max(this.#now, doubles[own.txBusy])
    if (perByte === 0) return
    const { count } = this.#segmenter
    this.departure = segments ? this.#segmentDeparture(count - 1) : this.#linkBusy + wireBytes(this.length) * perByte
    doubles[own.txBusy] = this.departure
  }

  /** A cable is as slow as the slower of its ends; into a switch each NIC has a cable of its own. */
  #linkNsPerByte(): number {
    const own = this.#network.ports[this.#port].nsPerByte
    if (!this.#network.memory.reference.direct || this.#targetCount === 0) return own
    return Math.max(own, this.#network.ports[this.#targets[0]].nsPerByte)
  }

  #segmentDeparture(index: number): number {
    const { headerLength, segmentSize } = this.#segmenter
    const before = index * wireBytes(headerLength + segmentSize)
    const bytes = before + wireBytes(headerLength + this.#segmenter.payloadOf(index))
    return this.#linkBusy + bytes * this.#linkNsPerByte()
  }

  /** When a packet that left at `departure` is at `port`: a switch stores it and forwards it when that link is free. */
  #arrival(port: PortView, departure: number, length: number): number {
    const { doubles, reference } = this.#network.memory
    const time = departure + this.#network.ports[this.#port].latency + port.latency
    if (port.nsPerByte === 0 || reference.direct) return time
    const busy = Math.max(time, doubles[port.rxBusy]) + wireBytes(length) * port.nsPerByte
    doubles[port.rxBusy] = busy
    return busy
  }

  /** One packet, or a super-frame that the receiver takes whole. */
  #deliver(port: PortView, target: number, burst: NetBurst, i: number, whole: boolean): void {
    const { memory } = this.#network
    const flags = burst.flags[i]
    const shift = this.#tagShift(port, flags)
    const length = this.length + shift
    const time = this.#network.timed ? this.#arrival(port, this.departure, length) : this.#now
    const queue = this.#targetQueues[target]
    if (length > port.maxFrame && !whole) {
      this.#countDrop(queue, DROP_TOO_LONG)
      return
    }
    const producer = this.#producers[queue]!
    const record = producer.reserve(length)
    if (record < 0) {
      this.#countDrop(queue, DROP_RING_FULL)
      return
    }
    const data = record + RECORD_BYTES
    this.#place(data, this.length, shift, flags & VLAN_TAGGED ? burst.vlan[i] : 0)
    const word = record >> 2
    let result = 0
    if (whole) {
      const partial = port.partialMarked || port.partialUnmarked
      this.#segmenter.finish(data + shift, 0, this.#segmenter.payload, true, partial)
      memory.words[word + RECORD_SEGMENT_SIZE] = this.#segmenter.segmentSize
      memory.words[word + RECORD_HEADER_LENGTH] = this.#segmenter.headerLength + shift
      result = flags & SEGMENT_ANY
      if (partial) result |= this.#partial(port, word, this.#headers.transport + shift, this.#segmenter.checksumOffset)
      else if (port.verifies) result |= checksumVerdict(this.#kernel, memory.view, this.#headers, data + shift)
    } else {
      result = this.#checksum(port, word, data, shift, burst, i)
    }
    this.#stamp(port, target, word, length, result | this.#tagFlag(port, word, burst, i), time)
    this.#commit(producer, queue, record)
  }

  /** A super-frame as the packets that the wire would carry. */
  #deliverSegments(port: PortView, target: number, burst: NetBurst, i: number): void {
    const { memory } = this.#network
    const flags = burst.flags[i]
    const { headerLength, segmentSize, count } = this.#segmenter
    const shift = this.#tagShift(port, flags)
    const queue = this.#targetQueues[target]
    const producer = this.#producers[queue]!
    for (let index = 0; index < count; index++) {
      const payload = this.#segmenter.payloadOf(index)
      const length = headerLength + payload + shift
      const time = this.#network.timed ? this.#arrival(port, this.#segmentDeparture(index), length) : this.#now
      if (length > port.maxFrame) {
        this.#countDrop(queue, DROP_TOO_LONG)
        continue
      }
      const record = producer.reserve(length)
      if (record < 0) {
        this.#countDrop(queue, DROP_RING_FULL)
        continue
      }
      const data = record + RECORD_BYTES
      this.#place(data, headerLength, shift, flags & VLAN_TAGGED ? burst.vlan[i] : 0)
      this.#kernel.move(data + headerLength + shift, this.#at + headerLength + index * segmentSize, payload)
      this.#segmenter.finish(data + shift, index, payload, false, false)
      const word = record >> 2
      const verdict = port.verifies ? this.#segmentVerdict(data + shift, payload) : 0
      this.#stamp(port, target, word, length, verdict | this.#tagFlag(port, word, burst, i), time)
      this.#commit(producer, queue, record)
      memory.words[word + RECORD_SEGMENT_SIZE] = 0
    }
  }

  /** The parsed headers are the super-frame's; only the length differs. */
  #segmentVerdict(at: number, payload: number): number {
    const headers = this.#headers
    const whole = headers.transportLength
    headers.transportLength = this.#segmenter.headerLength - headers.transport + payload
    const verdict = checksumVerdict(this.#kernel, this.#network.memory.view, headers, at)
    headers.transportLength = whole
    return verdict
  }

  /** By how many bytes a tag that is put in, or taken out, moves what follows it. */
  #tagShift(port: PortView, flags: number): number {
    if (flags & VLAN_TAGGED) return port.stripsVlan ? 0 : VLAN_TAG
    if (!port.stripsVlan) return 0
    this.#parse()
    return this.#headers.tagged ? -VLAN_TAG : 0
  }

  #tagFlag(port: PortView, word: number, burst: NetBurst, i: number): number {
    if (!port.stripsVlan) return 0
    if (burst.flags[i] & VLAN_TAGGED) {
      this.#network.memory.words[word + RECORD_VLAN] = burst.vlan[i] & 0xffff
      return VLAN_TAGGED
    }
    if (!this.#headers.tagged) return 0
    this.#network.memory.words[word + RECORD_VLAN] = this.#headers.tag
    return VLAN_TAGGED
  }

  /** Copies the first `length` bytes of the packet to `to`, with its tag put in or taken out after the addresses. */
  #place(to: number, length: number, shift: number, tag: number): void {
    if (shift === 0) {
      this.#copy(to, this.#at, length)
      return
    }
    const addresses = 12
    this.#copy(to, this.#at, addresses)
    if (shift > 0) {
      const { view } = this.#network.memory
      view.setUint16(to + addresses, ETHERTYPE_VLAN)
      view.setUint16(to + addresses + 2, tag)
      this.#copy(to + addresses + VLAN_TAG, this.#at + addresses, length - addresses)
    } else {
      this.#copy(to + addresses, this.#at + addresses + VLAN_TAG, length - addresses - VLAN_TAG)
    }
  }

  #copy(to: number, from: number, length: number): void {
    if (this.#inPool) this.#kernel.put(to, from, length)
    else this.#kernel.move(to, from, length)
  }

  /** Computes, passes on or verifies the checksum of a packet that lies at `data`; returns the receiver's flags. */
  #checksum(port: PortView, word: number, data: number, shift: number, burst: NetBurst, i: number): number {
    const { view } = this.#network.memory
    if (burst.flags[i] & CHECKSUM_WANTED) {
      const start = burst.checksumStart[i] + shift
      const offset = burst.checksumOffset[i]
      if (port.partialMarked || port.partialUnmarked) return this.#partial(port, word, start, offset)
      const sum = ~this.#kernel.sum(data + start, this.length + shift - start) & 0xffff
      view.setUint16(data + start + offset, sum === 0 ? 0xffff : sum, true)
    }
    if (!port.verifies) return 0
    this.#parse()
    return checksumVerdict(this.#kernel, view, this.#headers, data + shift)
  }

  #partial(port: PortView, word: number, start: number, offset: number): number {
    if (!port.partialMarked) return 0
    this.#network.memory.words[word + RECORD_CHECKSUM_START] = start
    this.#network.memory.words[word + RECORD_CHECKSUM_OFFSET] = offset
    return CHECKSUM_PARTIAL
  }

  #stamp(port: PortView, target: number, word: number, length: number, flags: number, time: number): void {
    const { words, doubles } = this.#network.memory
    words[word + RECORD_LENGTH] = length
    words[word + RECORD_FLAGS] = flags
    if (port.givesHash) words[word + RECORD_HASH] = this.#targetHashes[target]
    doubles[(word + RECORD_TIME) >> 1] = time
  }

  #commit(producer: RingProducer, queue: number, record: number): void {
    if (producer.pending === 0) this.#dirty[this.#dirtyCount++] = queue
    producer.commit(record)
  }

  #countDrop(queue: number, counter: number): void {
    const { layout, doubles } = this.#network.memory
    doubles[layout.drop(queue, this.#queue) + counter]++
  }

  #countSwitch(counter: number): void {
    const { layout, doubles } = this.#network.memory
    doubles[layout.switchCounters + this.#queue * SWITCH_COUNTERS + counter]++
  }
}

function wireBytes(length: number): number {
  return Math.max(length, WIRE_MINIMUM) + WIRE_OVERHEAD
}
