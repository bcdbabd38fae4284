import type { IpWords } from '@parakernel/queue'
import { isLinkLocal, isMulticast, LINK_LOCAL_PREFIX, matchesPrefix } from '../ipv6/address.ts'
import { type RandomSource, randomBelow } from '../random.ts'
import {
  type InterfaceIdentifier,
  joinIdentifier,
  randomIdentifier,
  type StableIdentifierKey,
  stableIdentifier,
} from './interface-identifier.ts'
import type { PrefixInformation } from './options.ts'
import { OwnAddress, type OwnAddresses } from './own-addresses.ts'

export interface AutoconfigurationSettings {
  readonly key: StableIdentifierKey
  /** Whether prefixes that routers advertise get addresses. */
  readonly enabled: boolean
  /** Whether temporary addresses (RFC 8981) are made beside the stable ones. */
  readonly temporary: boolean
  /** TEMP_VALID_LIFETIME and TEMP_PREFERRED_LIFETIME, in nanoseconds: 2 days and 1 day. */
  readonly temporaryValid: number
  readonly temporaryPreferred: number
  /** DupAddrDetectTransmits times RetransTimer: how long a check takes, in nanoseconds. */
  readonly checkTime: number
}

const NEVER = Number.POSITIVE_INFINITY
/** IDGEN_RETRIES (RFC 7217 section 6) and TEMP_IDGEN_RETRIES (RFC 8981 section 3.8). */
const RETRIES = 3
/** RFC 4862 section 5.5.3 e: an unauthenticated advertisement cannot shorten a lifetime below this. */
const TWO_HOURS = 7200e9
/** Prefixes that get addresses: a rogue router could advertise any number. */
const MOST_PREFIXES = 8
const IDENTIFIER_BITS = 64

/** A /64 in which this host has addresses. */
interface Network {
  readonly prefix: IpWords
  /** As last advertised. */
  preferredUntil: number
  validUntil: number
  stable: OwnAddress | undefined
  conflicts: number
  /** Temporary ones, the newest last. */
  readonly temporary: OwnAddress[]
  temporaryConflicts: number
  /** When the next temporary one is to be made. */
  regenerateAt: number
  readonly router: IpWords | undefined
}

/**
 * Stateless address autoconfiguration (RFC 4862 section 5.5): a stable address (RFC 7217) in each network that a
 * router advertises, and, if wanted, temporary ones (RFC 8981) that change from day to day. Decides; the list of
 * addresses checks and ages them.
 */
export class Autoconfiguration {
  readonly #settings: AutoconfigurationSettings
  readonly #addresses: OwnAddresses
  readonly #random: RandomSource
  readonly #networks: Network[] = []

  constructor(settings: AutoconfigurationSettings, addresses: OwnAddresses, random: RandomSource) {
    this.#settings = settings
    this.#addresses = addresses
    this.#random = random
  }

  /** Makes the link-local address, which every interface has (RFC 4291 section 2.1). */
  start(now: number): void {
    const network = this.#begin(LINK_LOCAL_PREFIX, NEVER, NEVER, undefined)
    this.#makeStable(network, now)
  }

  /** A prefix information option that was advertised by `router` (RFC 4862 section 5.5.3). */
  prefix(option: PrefixInformation, router: IpWords, now: number): void {
    const { prefix, length, autonomous, valid, preferred } = option
    if (!this.#settings.enabled || !autonomous || preferred > valid) return
    if (isLinkLocal(prefix) || isMulticast(prefix) || length !== 128 - IDENTIFIER_BITS) return
    let network = this.#networks.find((known) => matchesPrefix(prefix, known.prefix, IDENTIFIER_BITS))
    if (network === undefined) {
      if (valid === 0 || this.#networks.length > MOST_PREFIXES) return
      network = this.#begin(prefix, now + preferred, now + valid, router)
      this.#makeStable(network, now)
      this.#makeTemporary(network, now)
      return
    }
    network.preferredUntil = now + preferred
    network.validUntil = validUntil(network.validUntil, valid, now)
    this.#refresh(network, now)
  }

  /** Duplicate detection found another host with `address`: another identifier is tried, a few times. */
  duplicate(address: OwnAddress, now: number): void {
    const network = this.#networks.find((known) => known.stable === address || known.temporary.includes(address))
    if (network === undefined) return
    this.#addresses.remove(address)
    if (network.stable === address) {
      network.stable = undefined
      if (++network.conflicts <= RETRIES) this.#makeStable(network, now)
    } else {
      network.temporary.splice(network.temporary.indexOf(address), 1)
      // RFC 8981 section 3.4 item 6: after so many in a row no more are made.
      if (++network.temporaryConflicts <= RETRIES) this.#makeTemporary(network, now)
      else network.regenerateAt = NEVER
    }
  }

  /** The valid lifetime of `address` was over. */
  expired(address: OwnAddress): void {
    for (const network of this.#networks) {
      if (network.stable === address) network.stable = undefined
      const at = network.temporary.indexOf(address)
      if (at >= 0) network.temporary.splice(at, 1)
    }
  }

  poll(now: number): void {
    for (let i = this.#networks.length - 1; i >= 0; i--) {
      const network = this.#networks[i]
      if (network.validUntil <= now) this.#networks.splice(i, 1)
      else if (network.regenerateAt <= now) this.#makeTemporary(network, now)
    }
  }

  nextEvent(): number {
    let next = NEVER
    for (const { validUntil, regenerateAt } of this.#networks) next = Math.min(next, validUntil, regenerateAt)
    return next
  }

  /** REGEN_ADVANCE (RFC 8981 section 3.8): time enough to find the next address before the last one is deprecated. */
  get #regenerateAdvance(): number {
    return 2e9 + RETRIES * this.#settings.checkTime
  }

  #begin(prefix: IpWords, preferredUntil: number, validUntil: number, router: IpWords | undefined): Network {
    const network: Network = {
      prefix: Int32Array.of(prefix[0], prefix[1], 0, 0),
      preferredUntil,
      validUntil,
      stable: undefined,
      conflicts: 0,
      temporary: [],
      temporaryConflicts: 0,
      regenerateAt: NEVER,
      router: router?.slice(),
    }
    this.#networks.push(network)
    return network
  }

  #makeStable(network: Network, now: number): void {
    const identifier = stableIdentifier(network.prefix, network.conflicts, this.#settings.key)
    const origin = network.router === undefined ? 'link-local' : 'stable'
    network.stable = this.#add(network, identifier, origin, network.preferredUntil, network.validUntil, now)
  }

  /** RFC 8981 section 3.4: shorter lifetimes than the prefix's, and different ones on each host. */
  #makeTemporary(network: Network, now: number): void {
    const { temporary, temporaryValid, temporaryPreferred } = this.#settings
    network.regenerateAt = NEVER
    if (!temporary) return
    // DESYNC_FACTOR: at most 0.4 of the preferred lifetime (section 3.8).
    const preferred = temporaryPreferred - randomBelow(this.#random, 1e6) * 0.4e-6 * temporaryPreferred
    const preferredUntil = Math.min(network.preferredUntil, now + preferred)
    if (preferredUntil - now <= this.#regenerateAdvance) return
    const until = Math.min(network.validUntil, now + temporaryValid)
    const identifier = randomIdentifier(this.#random)
    network.temporary.push(this.#add(network, identifier, 'temporary', preferredUntil, until, now))
    network.regenerateAt = preferredUntil - this.#regenerateAdvance
  }

  #add(
    network: Network,
    identifier: InterfaceIdentifier,
    origin: OwnAddress['origin'],
    preferredUntil: number,
    until: number,
    now: number,
  ): OwnAddress {
    const words = joinIdentifier(network.prefix, identifier)
    const address = new OwnAddress(words, IDENTIFIER_BITS, origin, preferredUntil, until, now)
    address.router = network.router
    // The advertisement went to all hosts at once (RFC 4862 section 5.4.2); so did the power.
    this.#addresses.add(address, true, now)
    return address
  }

  /** A known prefix came again: its addresses live longer, temporary ones never longer than they were made for. */
  #refresh(network: Network, now: number): void {
    const { temporaryValid, temporaryPreferred } = this.#settings
    const { stable, temporary, preferredUntil, validUntil: until } = network
    if (stable === undefined && network.conflicts <= RETRIES) this.#makeStable(network, now)
    else if (stable !== undefined) this.#addresses.setLifetimes(stable, preferredUntil, until, now)
    for (const address of temporary) {
      const preferred = Math.min(preferredUntil, address.created + temporaryPreferred, address.preferredUntil)
      const valid = Math.min(until, address.created + temporaryValid)
      this.#addresses.setLifetimes(address, preferred, valid, now)
    }
    const wanting = network.regenerateAt === NEVER && network.temporaryConflicts <= RETRIES
    if (wanting && !temporary.some(({ preferredUntil: last }) => last > now)) this.#makeTemporary(network, now)
  }
}

/** RFC 4862 section 5.5.3 e: longer at will, shorter down to two hours. */
function validUntil(known: number, advertised: number, now: number): number {
  if (advertised > TWO_HOURS || now + advertised > known) return now + advertised
  return known - now <= TWO_HOURS ? known : now + TWO_HOURS
}
