import type { IpWords } from '@parakernel/queue'
import { same } from '../ipv6/address.ts'
import { type RandomSource, randomBelow } from '../random.ts'

/** Being checked for duplicates: receives nothing but what the check needs (RFC 4862 section 5.4). */
export const TENTATIVE = 0
export const PREFERRED = 1
/** Serves what goes on, and is not chosen for what begins (section 5.5.4). */
export const DEPRECATED = 2
/** Another host has it. */
export const DUPLICATE = 3

export type AddressOrigin = 'static' | 'link-local' | 'stable' | 'temporary'

const NEVER = Number.POSITIVE_INFINITY
const STATE_NAMES = ['tentative', 'preferred', 'deprecated', 'duplicate'] as const
/** MAX_RTR_SOLICITATION_DELAY, which bounds the delay before the first probe (RFC 4862 section 5.4.2). */
const MOST_DELAY = 1e9

/** One of our addresses. */
export class OwnAddress {
  readonly words: IpWords
  /** Bits of its network. */
  readonly prefix: number
  readonly origin: AddressOrigin
  state = TENTATIVE
  readonly created: number
  preferredUntil: number
  validUntil: number
  /** The router whose advertisement it came from, for rule 5.5 of RFC 6724; undefined for others. */
  router: IpWords | undefined = undefined
  /** Probes sent, and when the next step is due. */
  probes = 0
  nextStep = NEVER
  /** Of the last probe: tells it from another host's when the link sends it back (RFC 7527). */
  nonceHigh = 0
  nonceLow = 0

  constructor(
    words: IpWords,
    prefix: number,
    origin: AddressOrigin,
    preferredUntil: number,
    validUntil: number,
    now: number,
  ) {
    this.words = words.slice()
    this.prefix = prefix
    this.origin = origin
    this.created = now
    this.preferredUntil = preferredUntil
    this.validUntil = validUntil
  }

  /** Whether packets to it are ours. */
  get assigned(): boolean {
    return this.state === PREFERRED || this.state === DEPRECATED
  }

  get stateName(): (typeof STATE_NAMES)[number] {
    return STATE_NAMES[this.state]
  }
}

/** What the list wants done. Called from within its methods. */
export interface OwnAddressEffects {
  /** A tentative or assigned address needs its solicited-node group. */
  listen(address: OwnAddress): void
  /** It is gone. */
  unlisten(address: OwnAddress): void
  /** Sends a solicitation for the address itself, from the unspecified address, with its nonce. */
  probe(address: OwnAddress): void
  /** Nobody else has it: it can be used. */
  assigned(address: OwnAddress): void
  /** Another host has it. */
  duplicate(address: OwnAddress, now: number): void
  /** Its valid lifetime is over. */
  expired(address: OwnAddress): void
}

export interface DuplicateDetection {
  /** DupAddrDetectTransmits: probes for each address; 0 for no check. */
  readonly transmits: number
}

/**
 * The addresses of one interface, their duplicate detection (RFC 4862 section 5.4, with the nonces of RFC 7527) and
 * their lifetimes (section 5.5.4), without clock or device.
 */
export class OwnAddresses {
  /** Counts up whenever an address comes, goes, or changes its state or its lifetimes. */
  generation = 0
  /** RetransTimer: nanoseconds between probes. */
  retransmission: number
  readonly #detection: DuplicateDetection
  readonly #random: RandomSource
  readonly #effects: OwnAddressEffects
  readonly #list: OwnAddress[] = []

  constructor(detection: DuplicateDetection, retransmission: number, random: RandomSource, effects: OwnAddressEffects) {
    this.#detection = detection
    this.#random = random
    this.#effects = effects
    this.retransmission = retransmission
  }

  /** In the order in which they came. */
  get list(): readonly OwnAddress[] {
    return this.#list
  }

  find(words: IpWords): OwnAddress | undefined {
    const list = this.#list
    for (let i = 0; i < list.length; i++) if (same(list[i].words, words)) return list[i]
    return undefined
  }

  /** Whether packets to `words` are for us. */
  isAssigned(words: IpWords): boolean {
    return this.find(words)?.assigned === true
  }

  /**
   * Adds an address and begins its check.
   * @param delayed waits a random time of up to one second first, as after a start or an advertisement that all hosts
   * hear at once
   */
  add(address: OwnAddress, delayed: boolean, now: number): void {
    this.#list.push(address)
    this.generation++
    this.#effects.listen(address)
    if (this.#detection.transmits === 0) this.#assign(address, now)
    else address.nextStep = now + (delayed ? randomBelow(this.#random, MOST_DELAY) : 0)
    this.poll(now)
  }

  remove(address: OwnAddress): void {
    const at = this.#list.indexOf(address)
    if (at < 0) return
    this.#list.splice(at, 1)
    this.generation++
    this.#effects.unlisten(address)
  }

  /** A new lifetime; a deprecated address may become preferred again. */
  setLifetimes(address: OwnAddress, preferredUntil: number, validUntil: number, now: number): void {
    address.preferredUntil = preferredUntil
    address.validUntil = validUntil
    this.generation++
    if (address.assigned) this.#setState(address, preferredUntil > now ? PREFERRED : DEPRECATED)
  }

  /**
   * Another node's solicitation for `target` from the unspecified address: it checks the same address as we do,
   * unless the nonce says that it is our own, sent back (RFC 4862 section 5.4.3, RFC 7527 section 4.2).
   */
  heardProbe(target: IpWords, hasNonce: boolean, nonceHigh: number, nonceLow: number, now: number): void {
    const address = this.find(target)
    if (address === undefined || address.state !== TENTATIVE) return
    if (hasNonce && address.probes > 0 && nonceHigh === address.nonceHigh && nonceLow === address.nonceLow) return
    this.#conflict(address, now)
  }

  /** An advertisement for `target`: its owner answers our probe (section 5.4.4). Whether that is an address of ours. */
  heardAdvertisement(target: IpWords, now: number): boolean {
    const address = this.find(target)
    if (address === undefined) return false
    if (address.state === TENTATIVE) this.#conflict(address, now)
    return true
  }

  poll(now: number): void {
    for (const address of [...this.#list]) {
      if (address.state === TENTATIVE && address.nextStep <= now) this.#step(address, now)
      if (address.state === PREFERRED && address.preferredUntil <= now) this.#setState(address, DEPRECATED)
      if (address.validUntil <= now) {
        this.remove(address)
        this.#effects.expired(address)
      }
    }
  }

  nextEvent(): number {
    let next = NEVER
    for (const { state, nextStep, preferredUntil, validUntil } of this.#list) {
      if (state === TENTATIVE) next = Math.min(next, nextStep)
      if (state === PREFERRED) next = Math.min(next, preferredUntil)
      next = Math.min(next, validUntil)
    }
    return next
  }

  #step(address: OwnAddress, now: number): void {
    if (address.probes === this.#detection.transmits) {
      this.#assign(address, now)
      return
    }
    address.probes++
    address.nonceHigh = this.#random.next() | 0
    address.nonceLow = this.#random.next() & 0xffff
    address.nextStep = now + this.retransmission
    this.#effects.probe(address)
  }

  #assign(address: OwnAddress, now: number): void {
    address.nextStep = NEVER
    this.#setState(address, address.preferredUntil > now ? PREFERRED : DEPRECATED)
    this.#effects.assigned(address)
  }

  #conflict(address: OwnAddress, now: number): void {
    address.nextStep = NEVER
    this.#setState(address, DUPLICATE)
    this.#effects.duplicate(address, now)
  }

  #setState(address: OwnAddress, state: number): void {
    if (address.state === state) return
    address.state = state
    this.generation++
  }
}
