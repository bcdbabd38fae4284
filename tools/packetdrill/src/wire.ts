import { backend, type Network } from '@parakernel/emulated'
import {
  CHECKSUM_WANTED,
  type Clock,
  createPlainWindow,
  END_OF_PACKET,
  FramePool,
  NetBurst,
  type NetQueue,
  SEGMENT_TCP4,
  SEGMENT_TCP6,
  type WakeSource,
} from '@parakernel/hal'
import type { Pollable } from '@parakernel/kernel'

/** Of the widest variant: packetdrill's scripts for IPv6 make room for the longer header. */
const USUAL_MTU = 1520
/** A frame for the longest packet that a script injects. */
export const FRAME_SIZE = 16_384
const MAC = [2, 0, 0, 0, 0, 2]
const IPV4 = 0x0800
const ARP = 0x0806
const IPV6 = 0x86dd
const ICMPV6 = 58
const NEIGHBOR_SOLICITATION = 135
const HOP_BY_HOP = 0

/** An IP packet that left the stack, and when, in nanoseconds. */
export interface LeavingPacket {
  readonly bytes: Uint8Array
  readonly time: number
}

/**
 * The other end of the stack's cable, where packetdrill stands: IP packets without Ethernet. Whatever address the stack asks
 * for, by ARP or by neighbour discovery, is here; the stack's other housekeeping (its multicast reports) is not passed on.
 */
export class Wire implements Pollable {
  readonly packets: LeavingPacket[] = []
  readonly wake: WakeSource
  readonly #queue: NetQueue
  readonly #pool: FramePool
  readonly #in: NetBurst
  readonly #out: NetBurst
  #stackMac: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 1)

  constructor(network: Network, clock: Clock) {
    const mac = MAC.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
    const nic = network.nic({
      mac,
      mtu: USUAL_MTU,
      receiveSegmentation: true,
      partialChecksums: 'never',
      ringSize: 1024,
      flowControl: true,
    })
    const window = createPlainWindow(1024, { frameSize: FRAME_SIZE })
    this.#pool = new FramePool(window)
    this.#queue = backend.attach(nic.grant(0, window), { pool: this.#pool, clock })
    this.#queue.setReceiveFilter({ promiscuous: true })
    this.#in = new NetBurst(64, this.#queue.capabilities.columns)
    this.#out = new NetBurst(1, this.#queue.capabilities.columns)
    this.wake = this.#queue.wake
  }

  poll(now: number): number {
    const count = this.#queue.receive(this.#in)
    let frame: number[] = []
    for (let i = 0; i < count; i++) {
      const at = this.#pool.address(this.#in.frame[i]) + this.#in.offset[i]
      frame.push(...this.#pool.bytes.subarray(at, at + this.#in.length[i]))
      this.#pool.release(this.#in.frame[i])
      if ((this.#in.flags[i] & END_OF_PACKET) === 0) continue
      this.#received(Uint8Array.from(frame), now)
      frame = []
    }
    return count
  }

  arm(): boolean {
    return this.#queue.arm()
  }

  nextEvent(): number {
    return this.#queue.nextEvent?.() ?? Number.POSITIVE_INFINITY
  }

  /** Gives the stack an IP packet. */
  send(packet: Uint8Array): void {
    this.#transmit(packet, packet[0] >>> 4 === 6 ? IPV6 : IPV4)
  }

  #received(frame: Uint8Array, now: number): void {
    const type = (frame[12] << 8) | frame[13]
    const payload = frame.slice(14)
    if (type === ARP) this.#answerArp(payload)
    else if (type === IPV6 && payload[6] === ICMPV6 && payload[40] === NEIGHBOR_SOLICITATION)
      this.#answerSolicitation(payload)
    else if (type === IPV4 && payload[9] !== 2) this.packets.push({ bytes: trimmed(payload), time: now })
    else if (type === IPV6 && payload[6] !== HOP_BY_HOP && !isNeighborDiscovery(payload)) {
      this.packets.push({ bytes: trimmed(payload), time: now })
    }
  }

  #answerArp(request: Uint8Array): void {
    const target = request.slice(24, 28)
    const sender = request.slice(14, 18)
    // Requests alone, and not those by which the stack asks for its own address.
    if (request[7] !== 1 || sender.every((byte) => byte === 0) || sender.every((byte, i) => byte === target[i])) return
    const reply = request.slice(0, 28)
    reply[7] = 2
    reply.set(MAC, 8)
    reply.set(target, 14)
    reply.set(request.slice(8, 18), 18)
    this.#stackMac = request.slice(8, 14)
    this.#transmit(reply, ARP)
  }

  #answerSolicitation(packet: Uint8Array): void {
    const source = packet.slice(8, 24)
    const target = packet.slice(48, 64)
    // From the unspecified address: the stack asks whether its own address is free.
    if (source.every((byte) => byte === 0)) return
    const reply = new Uint8Array(72)
    reply.set([0x60, 0, 0, 0, 0, 32, ICMPV6, 255])
    reply.set(target, 8)
    reply.set(source, 24)
    reply.set([136, 0, 0, 0, 0x60], 40)
    reply.set(target, 48)
    reply.set([2, 1, ...MAC], 64)
    let sum = 32 + ICMPV6
    for (let i = 8; i < 72; i += 2) sum += (reply[i] << 8) | reply[i + 1]
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
    reply[42] = (~sum >>> 8) & 255
    reply[43] = ~sum & 255
    this.#transmit(reply, IPV6)
  }

  /** What is longer than a packet may be reaches the stack as if a device had joined segments. */
  #markJoined(packet: Uint8Array, type: number): void {
    const burst = this.#out
    const ipHeader = type === IPV6 ? 40 : (packet[0] & 15) * 4
    burst.flags[0] |= (type === IPV6 ? SEGMENT_TCP6 : SEGMENT_TCP4) | CHECKSUM_WANTED
    burst.segmentSize[0] = USUAL_SEGMENT
    burst.headerLength[0] = 14 + ipHeader + (packet[ipHeader + 12] >>> 4) * 4
    burst.checksumStart[0] = 14 + ipHeader
    burst.checksumOffset[0] = 16
  }

  #transmit(payload: Uint8Array, type: number): void {
    const frame = this.#pool.allocate()
    const at = this.#pool.address(frame) + this.#pool.headroom
    this.#pool.bytes.set([...this.#stackMac, ...MAC, type >>> 8, type & 255], at)
    this.#pool.bytes.set(payload, at + 14)
    this.#out.count = 0
    this.#out.push(frame, this.#pool.headroom, payload.length + 14)
    if (payload.length > USUAL_MTU) this.#markJoined(payload, type)
    if (this.#queue.transmit(this.#out) !== 1) this.#pool.release(frame)
  }
}

/** As scripts set the largest segment nearly everywhere. */
const USUAL_SEGMENT = 1000

/** Without the padding of short Ethernet frames. */
function trimmed(packet: Uint8Array): Uint8Array {
  const length = packet[0] >>> 4 === 6 ? 40 + ((packet[4] << 8) | packet[5]) : (packet[2] << 8) | packet[3]
  return packet.slice(0, length)
}

function isNeighborDiscovery(packet: Uint8Array): boolean {
  return packet[6] === ICMPV6 && packet[40] >= 133 && packet[40] <= 137
}
