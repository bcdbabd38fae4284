import { backend, type Network } from '@parakernel/emulated'
import {
  type Clock,
  createPlainWindow,
  END_OF_PACKET,
  FramePool,
  NetBurst,
  type NetQueue,
  parseMac,
  type WakeSource,
} from '@parakernel/hal'
import type { Pollable } from '@parakernel/kernel'
import { ADDRESSES, addressBytes, type Sent } from '../run/subject.ts'
import { concat, viewOf } from '../wire/bytes.ts'
import { icmpMessage, ipPacket } from '../wire/encode.ts'
import { ofTheLink } from '../wire/link-noise.ts'
import { PROTOCOL_ICMPV6, PROTOCOL_IGMP } from '../wire/packet.ts'

export const OUR_MAC = '02:00:00:00:00:01'
const PEER_MAC = '02:00:00:00:00:02'
const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_ARP = 0x0806
const ETHERTYPE_IPV6 = 0x86dd
const ETHERNET_HEADER = 14
const NEIGHBOR_SOLICITATION = 135
const SOLICITED_OVERRIDE = 0x6000_0000

/**
 * The other end of our stack's cable: it answers who has the remote address, as a neighbour does, and hands on the IP packets
 * alone, with the time at which each came.
 */
export class Link implements Pollable {
  readonly wake: WakeSource
  readonly sent: Sent[] = []
  readonly #queue: NetQueue
  readonly #pool: FramePool
  readonly #clock: Clock
  readonly #in: NetBurst
  readonly #out: NetBurst

  constructor(network: Network, clock: Clock, mtu: number) {
    const device = network.nic({ mac: PEER_MAC, mtu, ringSize: 1024, vlan: false, flowControl: true })
    const window = createPlainWindow(1024)
    this.#pool = new FramePool(window)
    this.#clock = clock
    this.#queue = backend.attach(device.grant(0, window), { pool: this.#pool, clock })
    this.#queue.setReceiveFilter({ promiscuous: true })
    this.wake = this.#queue.wake
    this.#in = new NetBurst(256, this.#queue.capabilities.columns)
    this.#out = new NetBurst(1, this.#queue.capabilities.columns)
  }

  poll(): number {
    let work = 0
    while (this.#queue.receive(this.#in) > 0) {
      work += this.#in.count
      const parts: Uint8Array[] = []
      for (let i = 0; i < this.#in.count; i++) {
        const at = this.#pool.address(this.#in.frame[i]) + this.#in.offset[i]
        parts.push(Uint8Array.from(this.#pool.bytes.subarray(at, at + this.#in.length[i])))
        this.#pool.release(this.#in.frame[i])
        if ((this.#in.flags[i] & END_OF_PACKET) !== 0) this.#arrived(concat(...parts.splice(0)))
      }
    }
    return work
  }

  arm(): boolean {
    return this.#queue.arm()
  }

  nextEvent(): number {
    return this.#queue.nextEvent?.() ?? Number.POSITIVE_INFINITY
  }

  /** Sends an IP packet to our stack. */
  inject(packet: Uint8Array): void {
    this.#transmit(packet[0] >> 4 === 4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6, packet)
  }

  detach(): void {
    this.#queue.detach()
  }

  #arrived(frame: Uint8Array): void {
    const type = viewOf(frame).getUint16(12)
    const packet = frame.slice(ETHERNET_HEADER)
    if (type === ETHERTYPE_ARP) this.#answerArp(packet)
    else if (type === ETHERTYPE_IPV6 && packet[6] === PROTOCOL_ICMPV6 && packet[40] === NEIGHBOR_SOLICITATION) {
      this.#answerSolicitation(packet)
    } else if (!ofTheLink(packet) && !(type === ETHERTYPE_IPV4 && packet[9] === PROTOCOL_IGMP)) {
      this.sent.push({ bytes: withoutPadding(packet), at: this.#clock.now() })
    }
  }

  /** RFC 826: who asks for the remote address hears where it is. */
  #answerArp(request: Uint8Array): void {
    const remote = addressBytes(ADDRESSES[4].remote)
    if (viewOf(request).getUint16(6) !== 1 || !request.slice(24, 28).every((byte, i) => byte === remote[i])) return
    const reply = request.slice(0, 28)
    viewOf(reply).setUint16(6, 2)
    reply.set(parseMac(PEER_MAC), 8)
    reply.set(remote, 14)
    reply.set(request.subarray(8, 18), 18)
    this.#transmit(ETHERTYPE_ARP, reply)
  }

  /** RFC 4861 section 7.2.4. */
  #answerSolicitation(packet: Uint8Array): void {
    const target = packet.slice(48, 64)
    const remote = addressBytes(ADDRESSES[6].remote)
    if (!target.every((byte, i) => byte === remote[i])) return
    const ip = {
      source: remote,
      destination: packet.slice(8, 24),
      ttl: 255,
      ecn: 'notect' as const,
      df: true,
      fragment: undefined,
      identifier: 0,
    }
    const linkAddress = Uint8Array.of(2, 1, ...parseMac(PEER_MAC))
    const advertisement = icmpMessage(ip, 136, 0, SOLICITED_OVERRIDE, concat(remote, linkAddress))
    this.#transmit(ETHERTYPE_IPV6, ipPacket(ip, PROTOCOL_ICMPV6, advertisement))
  }

  #transmit(type: number, payload: Uint8Array): void {
    const index = this.#pool.allocate()
    const frame = concat(parseMac(OUR_MAC), parseMac(PEER_MAC), Uint8Array.of(type >> 8, type & 255), payload)
    this.#pool.bytes.set(frame, this.#pool.address(index) + this.#pool.headroom)
    this.#out.count = 0
    this.#out.push(index, this.#pool.headroom, frame.length)
    if (this.#queue.transmit(this.#out) !== 1 || this.#out.refused > 0)
      throw new Error('the link did not take a packet')
  }
}

/** A link may make a short frame longer; how long the packet is, it says itself. */
function withoutPadding(packet: Uint8Array): Uint8Array {
  const length = packet[0] >> 4 === 4 ? viewOf(packet).getUint16(2) : 40 + viewOf(packet).getUint16(4)
  return packet.slice(0, length)
}
