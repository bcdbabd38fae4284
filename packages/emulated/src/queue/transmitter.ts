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
import { ETHERNET_HEADER, ETHERTYPE_AT, ETHERTYPE_VLAN, VLAN_TAG } from '../packet/headers.ts'
import { Segmenter } from '../packet/segmenter.ts'
import { checksumVerdict } from '../packet/transport-checksum.ts'
import { DROP_RING_FULL, DROP_TOO_LONG } from '../shared/layout.ts'
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
} from '../shared/packet-ring.ts'
import type { PortView } from '../shared/port-view.ts'
import { Forwarder } from './forwarder.ts'
import { ARRIVAL, LinkTimer } from './link-timer.ts'
import { Packet } from './packet.ts'

/** Outcome of `send`; anything >= 0 is the counter under which the packet is refused. */
export const SENT = -1
export const FULL = -2

/**
 * The hardware between a `transmit` and the receivers' rings, run by the transmitting thread: it looks where a packet goes,
 * does the offloads, and copies the bytes once, into the ring of each queue that gets it.
 */
export class Transmitter {
  /** Bytes of the last packet that was sent. */
  length = 0
  /** When the last packet that was sent leaves the NIC. */
  readonly timer: LinkTimer
  readonly #network: NetworkView
  readonly #queue: number
  readonly #kernel: MemoryKernel
  readonly #counters: Float64Array
  readonly #host: Host | undefined
  readonly #words: Int32Array
  readonly #doubles: Float64Array
  readonly #view: DataView
  readonly #packet: Packet
  readonly #forwarder: Forwarder
  readonly #segmenter: Segmenter
  /** Rings written since the last `publish`, by receiving queue. */
  readonly #dirty: Int32Array
  #dirtyCount = 0
  #timed = false
  #flowControl = false

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
    const { memory } = network
    this.#network = network
    this.#queue = queue
    this.#kernel = kernel
    this.#counters = counters
    this.#host = host
    this.#words = memory.words
    this.#doubles = memory.doubles
    this.#view = memory.view
    this.#packet = new Packet(pool, memory, kernel, scratch)
    this.#forwarder = new Forwarder(network, port, queue, this.#packet)
    this.#segmenter = new Segmenter(memory, kernel, this.#packet.headers)
    this.timer = new LinkTimer(network, port)
    this.#dirty = new Int32Array(memory.layout.maxQueues)
  }

  /** After a change of the network's tables. */
  refresh(): void {
    this.#forwarder.refresh()
    this.#timed = this.#network.timed
    this.#flowControl = this.#network.ports.some((port) => port.present && port.flowControl)
  }

  /** Before the first packet of a burst. `now` is 0 where the network needs no clock. */
  begin(now: number): void {
    this.#forwarder.begin(now)
    this.timer.begin(now)
  }

  /** Sends the packet of `entries` entries at entry `i`, which `checkPacket` let pass. */
  send(burst: NetBurst, i: number, entries: number): number {
    const packet = this.#packet
    const forwarder = this.#forwarder
    const segments = (burst.flags[i] & SEGMENT_ANY) !== 0
    if (entries === 1 && !segments) packet.point(burst, i)
    else packet.gather(burst, i, entries)
    this.length = packet.length
    if (packet.length < ETHERNET_HEADER) return TX_INVALID_DESCRIPTORS
    if (segments && !this.#segmenter.prepare(burst, i, packet.at, packet.length)) return TX_INVALID_DESCRIPTORS
    forwarder.resolve()
    if (this.#flowControl && !this.#roomForAll(segments)) return FULL
    if (this.#timed) this.#depart(segments)
    for (let n = 0; n < forwarder.count; n++) {
      if (segments && (forwarder.ports[n].rxSegment & burst.flags[i]) === 0) this.#deliverSegments(n, burst, i)
      else this.#deliver(n, burst, i, segments)
    }
    return SENT
  }

  /** After a burst: shows what was written to the receivers, and wakes those that sleep. */
  publish(): void {
    for (let n = 0; n < this.#dirtyCount; n++) {
      const queue = this.#dirty[n]
      this.#forwarder.producers[queue]?.publish()
      const word = this.#network.wakes.words[queue]
      if (word?.sleeping) {
        word.notify()
        this.#counters[WAKE_UPS]++
        if (this.#host !== undefined && word.eventFd >= 0) this.#host.writeEventFd(word.eventFd)
      }
    }
    this.#dirtyCount = 0
  }

  /** With flow control a packet waits until every queue that asked for it has room. */
  #roomForAll(segments: boolean): boolean {
    const { count, headerLength, payload } = this.#segmenter
    const packets = segments ? count : 1
    const bytes = segments ? packets * (headerLength + VLAN_TAG) + payload : this.length + VLAN_TAG
    for (let n = 0; n < this.#forwarder.count; n++) {
      if (!this.#forwarder.ports[n].flowControl) continue
      if (!this.#forwarder.producers[this.#forwarder.queues[n]]!.fits(packets, bytes)) return false
    }
    return true
  }

  #depart(segments: boolean): void {
    const target = this.#forwarder.count > 0 ? this.#forwarder.ports[0] : undefined
    const { count, headerLength, segmentSize } = this.#segmenter
    if (segments) {
      const last = headerLength + this.#segmenter.payloadOf(count - 1)
      this.timer.depart(count - 1, headerLength + segmentSize, last, target)
    } else {
      this.timer.depart(0, 0, this.length, target)
    }
  }

  /** One packet, or a super-frame that the receiver takes whole. */
  #deliver(target: number, burst: NetBurst, i: number, whole: boolean): void {
    const port = this.#forwarder.ports[target]
    const queue = this.#forwarder.queues[target]
    const flags = burst.flags[i]
    const tag = flags & VLAN_TAGGED ? burst.vlan[i] & 0xffff : -1
    const shift = this.#tagShift(port, tag)
    const length = this.length + shift
    if (this.#timed) this.timer.arrive(port, length)
    if (length > port.maxFrame && !whole) {
      this.#countDrop(queue, DROP_TOO_LONG)
      return
    }
    const producer = this.#forwarder.producers[queue]!
    const record = producer.reserve(length)
    if (record < 0) {
      this.#countDrop(queue, DROP_RING_FULL)
      return
    }
    const data = record + RECORD_BYTES
    const word = record >> 2
    this.#packet.copy(data, this.length, shift, tag)
    let result = 0
    if (whole) result = this.#finishWhole(port, word, data, shift) | (flags & SEGMENT_ANY)
    else if (flags & CHECKSUM_WANTED) result = this.#finishWanted(port, word, data, shift, burst, i)
    else if (port.verifies) result = this.#verify(data + shift)
    this.#stamp(target, word, length, result | this.#tagFlag(port, word, tag, shift))
    if (producer.pending === 0) this.#dirty[this.#dirtyCount++] = queue
    producer.commit(record)
  }

  /** A super-frame as the packets that the wire would carry. */
  #deliverSegments(target: number, burst: NetBurst, i: number): void {
    const port = this.#forwarder.ports[target]
    const queue = this.#forwarder.queues[target]
    const producer = this.#forwarder.producers[queue]!
    const { headerLength, segmentSize, count } = this.#segmenter
    const tag = burst.flags[i] & VLAN_TAGGED ? burst.vlan[i] & 0xffff : -1
    const shift = this.#tagShift(port, tag)
    for (let index = 0; index < count; index++) {
      const payload = this.#segmenter.payloadOf(index)
      const length = headerLength + payload + shift
      if (this.#timed) {
        this.timer.departBehind(index, headerLength + segmentSize, headerLength + payload)
        this.timer.arrive(port, length)
      }
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
      const word = record >> 2
      this.#packet.copy(data, headerLength, shift, tag)
      this.#packet.copyGathered(data + headerLength + shift, headerLength + index * segmentSize, payload)
      this.#segmenter.finish(data + shift, index, payload, false, false)
      const verdict = port.verifies ? this.#segmenter.verdict(data + shift, payload) : 0
      this.#stamp(target, word, length, verdict | this.#tagFlag(port, word, tag, shift))
      if (producer.pending === 0) this.#dirty[this.#dirtyCount++] = queue
      producer.commit(record)
    }
  }

  /** By how many bytes a tag that is put in, or taken out, moves what follows it. */
  #tagShift(port: PortView, tag: number): number {
    if (tag >= 0) return port.stripsVlan ? 0 : VLAN_TAG
    if (!port.stripsVlan) return 0
    const { view, at, length } = this.#packet
    const tagged = length >= ETHERNET_HEADER + VLAN_TAG && view.getUint16(at + ETHERTYPE_AT) === ETHERTYPE_VLAN
    return tagged ? -VLAN_TAG : 0
  }

  /** Notes the tag that the receiver gets in its column: the one asked for, or the one taken out. */
  #tagFlag(port: PortView, word: number, tag: number, shift: number): number {
    if (!port.stripsVlan || (tag < 0 && shift === 0)) return 0
    this.#words[word + RECORD_VLAN] = tag >= 0 ? tag : this.#packet.view.getUint16(this.#packet.at + ETHERTYPE_AT + 2)
    return VLAN_TAGGED
  }

  /** Computes a wanted checksum in the packet at `data`, or leaves that to the receiver; returns the receiver's flags. */
  #finishWanted(port: PortView, word: number, data: number, shift: number, burst: NetBurst, i: number): number {
    const start = burst.checksumStart[i] + shift
    const offset = burst.checksumOffset[i]
    if (port.partialMarked || port.partialUnmarked) return this.#partial(port, word, start, offset)
    const sum = ~this.#kernel.sum(data + start, this.length + shift - start) & 0xffff
    // RFC 768: a sum of 0 is sent as all ones, which for TCP means the same.
    this.#view.setUint16(data + start + offset, sum === 0 ? 0xffff : sum, true)
    return port.verifies ? this.#verify(data + shift) : 0
  }

  #finishWhole(port: PortView, word: number, data: number, shift: number): number {
    const segmenter = this.#segmenter
    const partial = port.partialMarked || port.partialUnmarked
    segmenter.finish(data + shift, 0, segmenter.payload, true, partial)
    this.#words[word + RECORD_SEGMENT_SIZE] = segmenter.segmentSize
    this.#words[word + RECORD_HEADER_LENGTH] = segmenter.headerLength + shift
    if (partial) return this.#partial(port, word, this.#packet.headers.transport + shift, segmenter.checksumOffset)
    return port.verifies ? segmenter.verdict(data + shift, segmenter.payload) : 0
  }

  #partial(port: PortView, word: number, start: number, offset: number): number {
    if (!port.partialMarked) return 0
    this.#words[word + RECORD_CHECKSUM_START] = start
    this.#words[word + RECORD_CHECKSUM_OFFSET] = offset
    return CHECKSUM_PARTIAL
  }

  #verify(at: number): number {
    this.#packet.parse()
    return checksumVerdict(this.#kernel, this.#view, this.#packet.headers, at)
  }

  #stamp(target: number, word: number, length: number, flags: number): void {
    this.#words[word + RECORD_LENGTH] = length
    this.#words[word + RECORD_FLAGS] = flags
    this.#words[word + RECORD_HASH] = this.#forwarder.hashes[target]
    this.#doubles[(word + RECORD_TIME) >> 1] = this.timer.times[ARRIVAL]
  }

  #countDrop(queue: number, counter: number): void {
    const { layout } = this.#network.memory
    this.#doubles[layout.drop(queue, this.#queue) + counter]++
  }
}
