import { SipHash } from './siphash.ts'

/** Nanoseconds for which a cookie is handed out; one stays good for one to two of these. */
const COOKIE_EPOCH = 64e9

/**
 * Stateless proof that a peer receives what is sent to its address: a keyed hash over address, port and epoch. Whoever
 * can echo it has seen a packet that went there. The key never leaves the process.
 */
export class CookieJar {
  readonly #sip: SipHash
  lo = 0
  hi = 0

  /** @param key 16 secret bytes, the same in every partition of a server. */
  constructor(key: Uint8Array) {
    this.#sip = new SipHash(key)
  }

  /** Puts the cookie for a peer into `lo` and `hi`; never 0/0, which means "no cookie" on the wire. */
  mint(address: number, port: number, now: number): void {
    this.#at(address, port, Math.floor(now / COOKIE_EPOCH))
  }

  /** Whether `lo`/`hi` was minted for this peer in this epoch or the one before. */
  verify(address: number, port: number, now: number, lo: number, hi: number): boolean {
    const epoch = Math.floor(now / COOKIE_EPOCH)
    this.#at(address, port, epoch)
    if (((this.lo ^ lo) | (this.hi ^ hi)) === 0) return true
    this.#at(address, port, epoch - 1)
    return ((this.lo ^ lo) | (this.hi ^ hi)) === 0
  }

  #at(address: number, port: number, epoch: number): void {
    this.#sip.hash(address, (port & 0xffff) | (epoch << 16))
    this.lo = this.#sip.out[0]
    this.hi = this.#sip.out[1]
    if ((this.lo | this.hi) === 0) this.lo = 1
  }
}
