import type { NetworkView } from '../shared/network-view.ts'
import type { PortView } from '../shared/port-view.ts'

/** What a frame occupies on an Ethernet beside its own bytes: preamble 8, checksum 4, gap 12; and at least 60 bytes. */
const WIRE_OVERHEAD = 24
const WIRE_MINIMUM = 60

/** Start of the burst. */
export const NOW = 0
/** When the packet at hand has left the NIC. */
export const DEPARTURE = 1
/** When it is at the port that `arrive` was asked about. */
export const ARRIVAL = 2
const START = 3
const NS_PER_BYTE = 4

/**
 * When packets leave and arrive, in nanoseconds. Each NIC's link has a latency and a bandwidth each way; the switch stores a
 * packet and forwards it. The links' busy times are shared memory: exact while one thread transmits, and approximate when
 * several do at the same instant, who may then take the same place on a link.
 */
export class LinkTimer {
  /** Not fields: a double in a field, or that goes into a function or out of one, may be allocated anew each time. */
  readonly times = new Float64Array(5)
  readonly #network: NetworkView
  readonly #port: number

  constructor(network: NetworkView, port: number) {
    this.#network = network
    this.#port = port
  }

  /** Before the first packet of a burst. */
  begin(now: number): void {
    this.times[NOW] = now
    this.times[DEPARTURE] = now
    this.times[ARRIVAL] = now
  }

  /** Whether the packet at hand occupies its frame beyond this call. */
  get leavesLater(): boolean {
    return this.times[DEPARTURE] > this.times[NOW]
  }

  /** Puts a packet on the NIC's link: `packets` of `length` bytes and one of `last` bytes. */
  depart(packets: number, length: number, last: number, target: PortView | undefined): void {
    const own = this.#network.ports[this.#port]
    const { doubles, reference } = this.#network.memory
    const times = this.times
    times[NS_PER_BYTE] = doubles[own.nsPerByte]
    // A cable is as slow as the slower of its ends; into a switch each NIC has a cable of its own.
    if (reference.direct && target !== undefined && doubles[target.nsPerByte] > times[NS_PER_BYTE]) {
      times[NS_PER_BYTE] = doubles[target.nsPerByte]
    }
    const paced = times[NS_PER_BYTE] > 0
    times[START] = paced && doubles[own.txBusy] > times[NOW] ? doubles[own.txBusy] : times[NOW]
    this.departBehind(packets, length, last)
    if (paced) doubles[own.txBusy] = times[DEPARTURE]
  }

  /** The packet at hand is the one behind `packets` others of `length` bytes, of those that `depart` was told of. */
  departBehind(packets: number, length: number, last: number): void {
    const times = this.times
    times[DEPARTURE] = times[START] + (packets * wireBytes(length) + wireBytes(last)) * times[NS_PER_BYTE]
  }

  /** `length` bytes go on to `port`. */
  arrive(port: PortView, length: number): void {
    const { doubles, reference } = this.#network.memory
    const times = this.times
    times[ARRIVAL] = times[DEPARTURE] + doubles[this.#network.ports[this.#port].latency] + doubles[port.latency]
    if (!port.paced || reference.direct) return
    if (doubles[port.rxBusy] > times[ARRIVAL]) times[ARRIVAL] = doubles[port.rxBusy]
    times[ARRIVAL] += wireBytes(length) * doubles[port.nsPerByte]
    doubles[port.rxBusy] = times[ARRIVAL]
  }
}

function wireBytes(length: number): number {
  return Math.max(length, WIRE_MINIMUM) + WIRE_OVERHEAD
}
