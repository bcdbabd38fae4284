import type { NetworkView } from '../shared/network-view.ts'
import type { PortView } from '../shared/port-view.ts'

/** What a frame occupies on an Ethernet beside its own bytes: preamble 8, checksum 4, gap 12; and at least 60 bytes. */
const WIRE_OVERHEAD = 24
const WIRE_MINIMUM = 60

/**
 * When packets leave and arrive, in nanoseconds. Each NIC's link has a latency and a bandwidth each way; the switch stores a
 * packet and forwards it. The links' busy times are shared memory: exact while one thread transmits, and approximate when
 * several do at the same instant, who may then take the same place on a link.
 */
export class LinkTimer {
  /** When the packet at hand has left the NIC. */
  departure = 0
  readonly #network: NetworkView
  readonly #port: number
  #start = 0
  #nsPerByte = 0

  constructor(network: NetworkView, port: number) {
    this.#network = network
    this.#port = port
  }

  /** Puts a packet on the NIC's link: `packets` of `length` bytes and one of `last` bytes. */
  depart(now: number, packets: number, length: number, last: number, target: PortView | undefined): void {
    const own = this.#network.ports[this.#port]
    const { doubles, reference } = this.#network.memory
    // A cable is as slow as the slower of its ends; into a switch each NIC has a cable of its own.
    const perByte = reference.direct && target !== undefined ? Math.max(own.nsPerByte, target.nsPerByte) : own.nsPerByte
    this.#nsPerByte = perByte
    this.#start = perByte === 0 ? now : Math.max(now, doubles[own.txBusy])
    this.departure = this.#start + (packets * wireBytes(length) + wireBytes(last)) * perByte
    if (perByte > 0) doubles[own.txBusy] = this.departure
  }

  /** When the packet behind `packets` others of `length` bytes has left, of those that `depart` was told of. */
  departureAfter(packets: number, length: number, last: number): number {
    return this.#start + (packets * wireBytes(length) + wireBytes(last)) * this.#nsPerByte
  }

  arrival(port: PortView, departure: number, length: number): number {
    const { doubles, reference } = this.#network.memory
    const time = departure + this.#network.ports[this.#port].latency + port.latency
    if (port.nsPerByte === 0 || reference.direct) return time
    const busy = Math.max(time, doubles[port.rxBusy]) + wireBytes(length) * port.nsPerByte
    doubles[port.rxBusy] = busy
    return busy
  }
}

function wireBytes(length: number): number {
  return Math.max(length, WIRE_MINIMUM) + WIRE_OVERHEAD
}
