import { CookieJar } from './cookie.ts'
import { isPrivateAddress } from './private-networks.ts'

/**
 * `private`: private networks are trusted, others need a cookie. `cookie`: everybody needs one. `off`: everybody may
 * receive large responses; only for networks in which source addresses cannot be forged.
 */
export type GuardMode = 'private' | 'cookie' | 'off'

/** Decides who may receive a response that is larger than its request. */
export class AmplificationGuard {
  readonly mode: GuardMode
  readonly jar: CookieJar

  constructor(mode: GuardMode, key: Uint8Array) {
    this.mode = mode
    this.jar = new CookieJar(key)
  }

  /** Trusted without a cookie. What the memcached port, whose protocol has no cookies, goes by. */
  trustsAddress(address: number): boolean {
    return this.mode === 'off' || (this.mode === 'private' && isPrivateAddress(address))
  }

  trusts(address: number, port: number, now: number, cookieLo: number, cookieHi: number): boolean {
    if (this.trustsAddress(address)) return true
    if ((cookieLo | cookieHi) === 0) return false
    return this.jar.verify(address, port, now, cookieLo, cookieHi)
  }
}
