import { CHECKSUM_WANTED, copyBytes } from '@parakernel/hal'
import type { IpWords } from '@parakernel/queue'
import * as ethernet from '../ethernet/wire.ts'
import * as ipv4 from '../ipv4/wire.ts'
import {
  IP6_OUT_FRAG_CREATES,
  IP6_OUT_FRAG_FAILS,
  IP6_OUT_FRAG_OKS,
  IP6_OUT_FRAG_REQDS,
  IP6_OUT_REQUESTS,
} from '../ipv6/counters.ts'
import * as fragment6 from '../ipv6/fragment.ts'
import * as ipv6 from '../ipv6/wire.ts'
import type { PacketMemory } from '../packet-memory.ts'
import {
  DROP_OUT_INVALID,
  DROP_OUT_NO_FRAME,
  DROP_OUT_NO_ROUTE,
  IP_OUT_FRAG_CREATES,
  IP_OUT_FRAG_FAILS,
  IP_OUT_FRAG_OKS,
  IP_OUT_FRAG_REQDS,
  IP_OUT_REQUESTS,
} from '../statistics/counters.ts'
import { dropOutgoing } from '../statistics/out-drops.ts'
import type { StackContext } from './context.ts'
import type { Incoming } from './incoming.ts'
import type { NetInterface } from './interface.ts'
import { DEFAULT_HOP_LIMIT, NO_OFFLOAD, type Path, type SendResult, writeLinkHeader } from './path.ts'
import type { PathTable } from './path-table.ts'

/** Bits that nothing but a fragment of IPv4 or a fragment header takes from the space of a payload. */
const CUT = ~7

/**
 * IP output for both families: finds paths, cuts what is too long for one, and answers packets to where they came from. Takes over
 * the frames that it is given, whatever the result.
 */
export class Output {
  readonly paths: PathTable
  readonly #context: StackContext
  #identifier: number

  constructor(context: StackContext, paths: PathTable) {
    this.#context = context
    this.paths = paths
    this.#identifier = context.random.next() & 0xffff
  }

  /**
   * The path to `remote`; its `failure` says why nothing can be sent.
   * @param local an address of ours, or undefined: the best one for the destination
   */
  pathTo(local: IpWords | undefined, remote: IpWords): Path {
    return this.paths.to(local, remote)
  }

  /** As `Path.send`, for a packet that may be cut into fragments if it is too long: its checksum is complete then. */
  send(
    path: Path,
    frame: number,
    payload: number,
    length: number,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    offload: number,
    token: number,
  ): SendResult {
    if (!path.check() || length + path.ipHeader <= path.mtu) {
      return path.send(frame, payload, length, protocol, hopLimit, trafficClass, offload, token)
    }
    const { pool, memory } = this.#context
    const result = this.sendFragments(path, memory, payload, length, protocol, hopLimit, trafficClass, token)
    pool.release(frame)
    return result
  }

  /**
   * Cuts a payload that stands anywhere into fragments (RFC 791 section 2.3, RFC 8200 section 4.5), each in a frame of its own. Its
   * transport checksum is complete.
   */
  sendFragments(
    path: Path,
    memory: PacketMemory,
    payload: number,
    length: number,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    token: number,
  ): SendResult {
    const { pool, memory: frames, counters, counters6 } = this.#context
    if (!path.check()) {
      dropOutgoing(this.#context, path.family, DROP_OUT_NO_ROUTE)
      return path.failure as SendResult
    }
    if (length + path.ipHeader <= path.mtu && path.headroom + length <= pool.frameSize - pool.window.tailroom) {
      return this.#sendCopy(path, memory, payload, length, protocol, hopLimit, trafficClass, token)
    }
    const v4 = path.family === 4
    const values = v4 ? counters.values : counters6.values
    const before = v4 ? 0 : fragment6.HEADER_LENGTH
    const headroom = path.headroom + before
    // On a link whose packets are longer than a frame, a fragment is as long as a frame lets it.
    const room = Math.min(path.mtu - path.ipHeader - before, pool.frameSize - headroom - pool.window.tailroom)
    const step = length <= room ? length : room & CUT
    const pieces = Math.max(1, Math.ceil(length / step))
    values[v4 ? IP_OUT_REQUESTS : IP6_OUT_REQUESTS]++
    values[v4 ? IP_OUT_FRAG_REQDS : IP6_OUT_FRAG_REQDS]++
    // All or nothing: fragments without their siblings only cost the receiver memory.
    if (pool.available - pool.deviceReserve < pieces) {
      values[v4 ? IP_OUT_FRAG_FAILS : IP6_OUT_FRAG_FAILS]++
      dropOutgoing(this.#context, path.family, DROP_OUT_NO_FRAME)
      return 'ENOBUFS'
    }
    this.#identifier = (this.#identifier + 1) & 0xffff
    const identifier = v4 ? this.#identifier : this.#context.random.next() | 0
    let result: SendResult = 'sent'
    for (let at = 0; at < length; at += step) {
      const size = Math.min(step, length - at)
      const more = at + size < length
      const frame = pool.allocate()
      const into = pool.address(frame) + headroom
      copyBytes(memory.bytes, payload + at, size, frames.bytes, into)
      // The push is complete when its last fragment is out.
      const owner = more ? 0 : token
      if (v4) {
        const field = (at >>> 3) | (more ? ipv4.MORE_FRAGMENTS : 0)
        result = path.transmit(
          frame,
          into,
          size,
          identifier,
          field,
          protocol,
          hopLimit,
          trafficClass,
          NO_OFFLOAD,
          owner,
        )
      } else {
        const header = into - before
        fragment6.emit(frames.view, header, protocol, at, more, identifier)
        const next = ipv6.NEXT_FRAGMENT
        result = path.transmit(frame, header, size + before, 0, 0, next, hopLimit, trafficClass, NO_OFFLOAD, owner)
      }
      if (result !== 'sent' && result !== 'waiting') {
        values[v4 ? IP_OUT_FRAG_FAILS : IP6_OUT_FRAG_FAILS]++
        return result
      }
      values[v4 ? IP_OUT_FRAG_CREATES : IP6_OUT_FRAG_CREATES]++
    }
    values[v4 ? IP_OUT_FRAG_OKS : IP6_OUT_FRAG_OKS]++
    return result
  }

  /**
   * Sends a transport packet of `length` bytes at `at` in `frame` to the sender of `incoming`, from the address that it was sent to, by
   * the MAC address that it came from: without a route, a neighbour or a path, so that a flood leaves nothing behind. Only for
   * packets to one of our own addresses that have an Ethernet header (`ethernet` is not -1).
   * @param hopLimit 0 for the default
   */
  answer(
    incoming: Incoming,
    frame: number,
    at: number,
    length: number,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    checksumOffset: number,
  ): SendResult {
    const { interface: iface, link, ethernet: question, source, destination, memory } = incoming
    const { pool, counters, counters6 } = iface
    const { view } = iface.memory
    const v4 = incoming.family === 4
    const ipHeader = v4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH
    if (length + ipHeader > iface.mtu) {
      dropOutgoing(iface, incoming.family, DROP_OUT_INVALID)
      pool.release(frame)
      return 'EMSGSIZE'
    }
    const high = ethernet.sourceHigh(memory.view, question)
    const low = ethernet.sourceLow(memory.view, question)
    const packet = at - ipHeader
    const limit = hopLimit === 0 ? (v4 ? DEFAULT_HOP_LIMIT : iface.hopLimit) : hopLimit
    if (v4) {
      counters.values[IP_OUT_REQUESTS]++
      const total = length + ipHeader
      const [from, to] = [destination[3], source[3]]
      ipv4.emit(view, packet, trafficClass, total, 0, ipv4.DONT_FRAGMENT, limit, protocol, from, to)
    } else {
      counters6.values[IP6_OUT_REQUESTS]++
      ipv6.emit(view, packet, trafficClass, 0, length, protocol, limit, destination, source)
    }
    const start = writeLinkHeader(iface, packet, high, low, v4 ? ethernet.TYPE_IPV4 : ethernet.TYPE_IPV6)
    const checksumStart = iface.linkHeader + ipHeader
    const flags = checksumOffset === NO_OFFLOAD ? 0 : CHECKSUM_WANTED
    const whole = length + checksumStart
    const offset = start - pool.address(frame)
    return link.tx.push(frame, offset, whole, flags, checksumStart, checksumOffset) ? 'sent' : 'ENOBUFS'
  }

  /** What fits goes whole: a fragment header that cuts nothing only costs (RFC 8021 section 4). */
  #sendCopy(
    path: Path,
    memory: PacketMemory,
    payload: number,
    length: number,
    protocol: number,
    hopLimit: number,
    trafficClass: number,
    token: number,
  ): SendResult {
    const { pool, memory: frames } = this.#context
    const frame = pool.allocate()
    if (frame < 0) {
      dropOutgoing(this.#context, path.family, DROP_OUT_NO_FRAME)
      return 'ENOBUFS'
    }
    const into = pool.address(frame) + path.headroom
    copyBytes(memory.bytes, payload, length, frames.bytes, into)
    return path.send(frame, into, length, protocol, hopLimit, trafficClass, NO_OFFLOAD, token)
  }

  /**
   * A copy of what is sent to a group, from `path.local`, as if it had come back over the link: for our own sockets that have joined
   * there.
   */
  loopCopy(path: Path, loopback: NetInterface, payload: number, length: number, protocol: number): void {
    const { pool, memory } = this.#context
    const frame = pool.allocate()
    if (frame < 0) {
      dropOutgoing(this.#context, path.family, DROP_OUT_NO_FRAME)
      return
    }
    const ipHeader = path.ipHeader
    const into = pool.address(frame) + pool.headroom + loopback.linkHeader + ipHeader
    copyBytes(memory.bytes, payload, length, memory.bytes, into)
    const packet = into - ipHeader
    if (path.family === 4) {
      const total = length + ipHeader
      const { localIpv4: from, remoteIpv4: to } = path
      ipv4.emit(memory.view, packet, 0, total, 0, ipv4.DONT_FRAGMENT, 1, protocol, from, to)
    } else {
      ipv6.emit(memory.view, packet, 0, 0, length, protocol, 1, path.local, path.remote)
    }
    const type = path.family === 4 ? ethernet.TYPE_IPV4 : ethernet.TYPE_IPV6
    const start = writeLinkHeader(loopback, packet, 0, 0, type)
    loopback.link.tx.push(frame, start - pool.address(frame), length + ipHeader + loopback.linkHeader, 0, 0, 0)
  }
}
