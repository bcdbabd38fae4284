import type { NetworkView } from '../shared/network-view.ts'
import type { PortView } from '../shared/port-view.ts'

/** What a frame occupies on an Ethernet beside its own bytes: preamble 8, checksum 4, gap 12; and at least 60 bytes. */
const WIRE_OVERHEAD = 24
const WIRE_MINIMUM = 60

/**
 * When packets leave and arrive, in nanoseconds. Each NIC's link has a latency and a bandwidth each way; the switch stores a
 * packet and forwards it. The links' busy times are shared memory: exact while one thread transmits, and approximate when
 * several do at the same instant, who may then take the same place on a link.
 *
 * Results are fields, because a double that a function returns may be allocated.
 */
export class LinkTimer {
  /** When the packet at hand has left the NIC, and when it is at the port that `arrive` was asked about. */
  departure = 0
  arrival = 0
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

  /** The packet at hand is the one behind `packets` others of `length` bytes, of those that `depart` was told of. */
  departBehind(packets: number, length: number, last: number): void {
    this.departure = this.#start + (packets * wireBytes(length) + wireBytes(last)) * this.#nsPerByte
  }

  /** `length` bytes go on to `port`. */
  arrive(port: PortView, length: number): void {
    const { doubles, reference } = this.#network.memory
    this.arrival = this.departure + this.#network.ports[this.#port].latency + port.latency
    if (port.nsPerByte === 0 || reference.direct) return
    this.arrival = Math.max(this.arrival, doubles[port.rxBusy]) + wireBytes(length) * port.nsPerByte
    doubles[port.rxBusy] = this.arrival
  }
}

function wireBytes(length: number): number {
  return Math.max(length, WIRE_MINIMUM) + WIRE_OVERHEAD
}
