import type { MacParts } from '../ethernet/mac.ts'
import type { Ipv4Address } from '../ipv4/address.ts'
import { type RandomSource, randomBelow } from '../random.ts'
import { type Lease, leaseFrom } from './lease.ts'
import * as dhcp from './message.ts'

/** The states of RFC 2131 figure 5; `checking` is the ARP probe between REQUESTING and BOUND (section 2.2). */
export type DhcpState =
  | 'init'
  | 'selecting'
  | 'requesting'
  | 'rebooting'
  | 'checking'
  | 'bound'
  | 'renewing'
  | 'rebinding'
  | 'stopped'

export interface DhcpOptions {
  readonly mac: MacParts
  readonly random: RandomSource
  readonly hostName?: string | undefined
  /** The address of the last time, which is asked for first (INIT-REBOOT). */
  readonly previous?: Ipv4Address | undefined
}

/** What the client does to the world. */
export interface DhcpEffects {
  /** Sends a message from port 68 to port 67. `source` 0 and `server` undefined: broadcast, before we have an address. */
  send(message: Uint8Array, source: Ipv4Address, server: Ipv4Address | undefined): void
  /** Asks by ARP whether somebody has the address (RFC 5227); the answer comes by `checked`. */
  check(address: Ipv4Address): void
  /** The host has this lease from now on; also after a renewal, when something in it changed. */
  bound(lease: Lease): void
  /** The address must not be used any more. */
  lost(reason: 'expired' | 'refused' | 'stopped'): void
}

const SECOND = 1e9
/** Section 4.1: 4, 8, 16, 32 and at most 64 seconds, each give or take one. */
const FIRST_RETRY = 4 * SECOND
const LONGEST_RETRY = 64 * SECOND
/** Requests for one offer before we look for others. */
const REQUESTS = 4
/** Requests for the address of the last time. */
const REBOOT_REQUESTS = 2
/** Section 4.4.1: a host that starts waits up to so long, so that not all ask at once after a power cut. */
const START_SPREAD = 1 * SECOND
/** Section 3.1 step 5: time between a decline and the next try. */
const DECLINE_WAIT = 10 * SECOND
/** Section 4.4.5: no more renewal requests than one a minute. */
const LEAST_RENEWAL_WAIT = 60 * SECOND

/** A DHCP client (RFC 2131) as a state machine without clock, socket or randomness of its own. Times are in nanoseconds. */
export class DhcpClient {
  state: DhcpState = 'init'
  lease: Lease | undefined
  readonly statistics = { sent: 0, received: 0, ignored: 0, naks: 0, declines: 0 }
  readonly #options: DhcpOptions
  readonly #effects: DhcpEffects
  #transaction = 0
  #began: number
  /** When the request was sent that the lease runs from. */
  #requested = 0
  #leaseStart = 0
  #retry = FIRST_RETRY
  #tries = 0
  /** Whether the address of the last time has been asked for. */
  #rebooted = false
  #next: number
  #candidate: Lease | undefined

  constructor(options: DhcpOptions, effects: DhcpEffects, now: number) {
    this.#options = options
    this.#effects = effects
    this.#began = now
    this.#next = now + randomBelow(options.random, START_SPREAD)
  }

  /** The lease that is being asked for, or checked. */
  get offered(): Lease | undefined {
    return this.#candidate
  }

  /** When `poll` has something to do; Infinity for never. */
  nextEvent(): number {
    return this.#next
  }

  poll(now: number): void {
    if (now < this.#next) return
    switch (this.state) {
      case 'init':
        this.#begin(now)
        break
      case 'selecting':
        this.#discover(now)
        break
      case 'requesting':
      case 'rebooting':
        if (this.#tries >= (this.state === 'rebooting' ? REBOOT_REQUESTS : REQUESTS)) this.#restart(now, now)
        else this.#request(now)
        break
      case 'bound':
        this.state = 'renewing'
        this.#transaction = this.#options.random.next()
        this.#prolong(now)
        break
      case 'renewing':
      case 'rebinding':
        this.#prolong(now)
        break
      default:
        this.#next = Number.POSITIVE_INFINITY
    }
  }

  /** A datagram that came to port 68. */
  receive(bytes: Uint8Array, now: number): void {
    const message = dhcp.decodeMessage(bytes)
    const { mac } = this.#options
    if (
      message === undefined ||
      message.transaction !== this.#transaction ||
      message.mac.high !== mac.high ||
      message.mac.low !== mac.low
    ) {
      this.statistics.ignored++
      return
    }
    this.statistics.received++
    const awaitsAck = this.state === 'requesting' || this.state === 'rebooting'
    const prolongs = this.state === 'renewing' || this.state === 'rebinding'
    if (message.type === dhcp.OFFER && this.state === 'selecting') this.#offered(message, now)
    else if (message.type === dhcp.ACK && (awaitsAck || prolongs)) this.#acknowledged(message)
    else if (message.type === dhcp.NAK && (awaitsAck || prolongs)) this.#refused(message, now)
    else this.statistics.ignored++
  }

  /** What ARP found about the address that `check` asked for. */
  checked(inUse: boolean, now: number): void {
    const lease = this.#candidate
    if (this.state !== 'checking' || lease === undefined) return
    if (!inUse) {
      this.#bind(lease)
      return
    }
    this.#decline(lease, now)
  }

  /** Another host was found to use our address after all: it is declined, and we begin again. */
  conflict(now: number): void {
    const lease = this.lease
    if (lease === undefined) return
    this.#effects.lost('refused')
    this.#decline(lease, now)
  }

  /** The link came up again, perhaps in another network: the address is confirmed or replaced (section 3.7). */
  linkUp(now: number): void {
    if (this.state === 'stopped' || this.lease === undefined) return
    this.#rebootWith(this.lease.address, now)
  }

  /** Gives the address back. */
  stop(now: number): void {
    const lease = this.lease
    if (lease !== undefined) {
      this.#transaction = this.#options.random.next()
      this.#send(now, { type: dhcp.RELEASE, clientAddress: lease.address, server: lease.server }, lease.server)
      this.#effects.lost('stopped')
    }
    this.lease = undefined
    this.state = 'stopped'
    this.#next = Number.POSITIVE_INFINITY
  }

  #begin(now: number): void {
    const previous = this.#options.previous
    if (previous !== undefined && !this.#rebooted) {
      this.#rebootWith(previous, now)
      return
    }
    this.#began = now
    this.#transaction = this.#options.random.next()
    this.state = 'selecting'
    this.#retry = FIRST_RETRY
    this.#discover(now)
  }

  #rebootWith(address: Ipv4Address, now: number): void {
    this.#began = now
    this.#transaction = this.#options.random.next()
    this.state = 'rebooting'
    this.#rebooted = true
    this.#candidate = this.lease ?? { ...NO_LEASE, address }
    this.#retry = FIRST_RETRY
    this.#tries = 0
    this.#request(now)
  }

  #discover(now: number): void {
    this.#send(now, { type: dhcp.DISCOVER, requested: this.lease?.address ?? this.#options.previous }, undefined)
    this.#wait(now)
  }

  #request(now: number): void {
    const lease = this.#candidate ?? NO_LEASE
    this.#tries++
    this.#requested = now
    // Section 4.3.2: the server is named only when its offer is taken.
    const server = this.state === 'requesting' ? lease.server : undefined
    this.#send(now, { type: dhcp.REQUEST, requested: lease.address, server }, undefined)
    this.#wait(now)
  }

  /** Renews at the lender, then anywhere; each time waits half of what is left (section 4.4.5). */
  #prolong(now: number): void {
    const lease = this.lease ?? NO_LEASE
    const rebindAt = this.#leaseStart + lease.rebinding * SECOND
    const endAt = this.#leaseStart + lease.duration * SECOND
    if (now >= endAt) {
      this.lease = undefined
      this.#effects.lost('expired')
      this.#restart(now, now)
      return
    }
    if (this.state === 'renewing' && now >= rebindAt) this.state = 'rebinding'
    this.#requested = now
    const server = this.state === 'renewing' ? lease.server : undefined
    this.#send(now, { type: dhcp.REQUEST, clientAddress: lease.address }, server)
    const limit = this.state === 'renewing' ? rebindAt : endAt
    this.#next = Math.min(now + Math.max((limit - now) / 2, LEAST_RENEWAL_WAIT), limit)
  }

  #offered(message: dhcp.ServerMessage, now: number): void {
    const lease = leaseFrom(message)
    if (lease === undefined) {
      this.statistics.ignored++
      return
    }
    // The first good offer is taken: on one network servers agree, and waiting for more only makes starting slow.
    this.#candidate = lease
    this.state = 'requesting'
    this.#retry = FIRST_RETRY
    this.#tries = 0
    this.#request(now)
  }

  #acknowledged(message: dhcp.ServerMessage): void {
    const lease = leaseFrom(message)
    if (lease === undefined) {
      this.statistics.ignored++
      return
    }
    this.#leaseStart = this.#requested
    if (this.lease?.address === lease.address) {
      this.#bind(lease)
      return
    }
    if (this.lease !== undefined) {
      this.lease = undefined
      this.#effects.lost('refused')
    }
    this.#candidate = lease
    this.state = 'checking'
    this.#next = Number.POSITIVE_INFINITY
    this.#effects.check(lease.address)
  }

  #refused(message: dhcp.ServerMessage, now: number): void {
    // A server that we did not choose has no say (section 4.3.2); a relay's network may have several.
    const identifier = message.options.get(dhcp.SERVER_IDENTIFIER)
    const server = identifier?.length === 4 ? new DataView(identifier.buffer, identifier.byteOffset).getInt32(0) : 0
    if (this.state === 'requesting' && server !== this.#candidate?.server) {
      this.statistics.ignored++
      return
    }
    this.statistics.naks++
    if (this.lease !== undefined) {
      this.lease = undefined
      this.#effects.lost('refused')
    }
    this.#restart(now, now)
  }

  #bind(lease: Lease): void {
    this.lease = lease
    this.#candidate = undefined
    this.state = 'bound'
    this.#next = this.#leaseStart + lease.renewal * SECOND
    this.#effects.bound(lease)
  }

  #decline(lease: Lease, now: number): void {
    this.statistics.declines++
    const message = 'another host answers for this address'
    this.#send(now, { type: dhcp.DECLINE, requested: lease.address, server: lease.server, message }, undefined)
    this.lease = undefined
    this.#restart(now, now + DECLINE_WAIT)
  }

  #restart(now: number, at: number): void {
    this.state = 'init'
    this.#candidate = undefined
    this.#rebooted = true
    this.#began = now
    this.#next = at
    if (at <= now) this.#begin(now)
  }

  #wait(now: number): void {
    this.#next = now + this.#retry - SECOND + randomBelow(this.#options.random, 2 * SECOND)
    this.#retry = Math.min(this.#retry * 2, LONGEST_RETRY)
  }

  #send(
    now: number,
    fields: Partial<dhcp.ClientMessage> & { readonly type: number },
    server: Ipv4Address | undefined,
  ): void {
    const { mac, hostName } = this.#options
    this.statistics.sent++
    const clientAddress = fields.clientAddress ?? 0
    const message = dhcp.encodeMessage({
      transaction: this.#transaction,
      mac,
      hostName,
      seconds: Math.max(0, Math.floor((now - this.#began) / SECOND)),
      // While we rebind we have an address, and the answer may come to it.
      broadcast: clientAddress === 0,
      ...fields,
      clientAddress,
    })
    this.#effects.send(message, clientAddress, server)
  }
}

/** Stands for a lease of which only the address is known. */
const NO_LEASE: Lease = {
  address: 0,
  prefix: 32,
  server: 0,
  duration: 0,
  renewal: 0,
  rebinding: 0,
  routes: [],
  dnsServers: [],
  ntpServers: [],
  search: [],
  mtu: undefined,
}
