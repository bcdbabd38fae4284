import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import {
  formatIpv6,
  type NetworkLibOS,
  parseIpv4,
  parseIpv6,
  parseSocketAddress,
  type SocketAddress,
} from '@parakernel/queue'
import { type RandomSource, secureRandom } from '../random.ts'
import { type CachedAnswer, DnsCache } from './cache.ts'
import { askByDatagram, askByStream, type Inquiry, type Outcome } from './exchange.ts'
import { FORMAT_ERROR, NAME_ERROR, NO_ERROR, type RecordType, type ResourceRecord, type Response } from './message.ts'
import { normalizeName } from './name.ts'

export interface ResolverOptions {
  /** Recursive servers, as addresses with or without a port (53), in order of preference. At least one. */
  readonly servers: readonly string[]
  /** Domains that are tried behind a name with few dots; none. */
  readonly search?: readonly string[]
  /** Dots from which on a name is tried as it is before the search list; 1. */
  readonly ndots?: number
  /** Milliseconds that a server has for its first answer; doubled in each further round; 2000. */
  readonly timeout?: number
  /** Rounds through the servers; 3. */
  readonly attempts?: number
  /** Orders the addresses of a host (RFC 6724): `control.orderAddresses` of this stack. Without it IPv6 comes first. */
  readonly order?: (addresses: readonly string[]) => readonly string[]
  /** Answers that are remembered; 1000. 0: none. */
  readonly cacheEntries?: number
  /** Where identifiers come from; the host's secure generator. */
  readonly random?: RandomSource
}

export interface HostAddress {
  readonly address: string
  readonly family: 4 | 6
}

/** Aliases that are followed (a chain of CNAMEs); longer ones are loops or mistakes. */
const LONGEST_CHAIN = 8

/**
 * A stub resolver (RFC 1034 section 5.3.1) over any network libOS: UDP with EDNS(0), TCP where an answer is truncated, several
 * servers with doubling time-outs, a cache that also remembers absence, and a search list. Questions that are being asked
 * are asked once, whoever waits.
 *
 * Fails with ENOENT when there is no such name or record, ETIMEDOUT when no server answered, EAGAIN when servers answered
 * that they could not tell, EPROTO for an alias loop, EINVAL for what is no name.
 */
export class Resolver {
  readonly statistics = { queries: 0, cacheHits: 0, answers: 0, timeouts: 0, failures: 0, ignored: 0, overStream: 0 }
  readonly #libos: NetworkLibOS
  readonly #servers: readonly SocketAddress[]
  readonly #search: readonly string[]
  readonly #ndots: number
  readonly #timeout: number
  readonly #attempts: number
  readonly #random: RandomSource
  readonly #order: (addresses: readonly string[]) => readonly string[]
  readonly #cache: DnsCache
  readonly #asking = new Map<string, Promise<CachedAnswer>>()

  /** @throws EINVAL without servers, or for one that is no address */
  constructor(libos: NetworkLibOS, options: ResolverOptions) {
    const { servers, search = [], ndots = 1, timeout = 2000, attempts = 3, cacheEntries = 1000 } = options
    if (servers.length === 0) {
      throw new ParakernelError('EINVAL', 'has no servers', {
        subject: 'DNS resolver',
        remedy: 'Name at least one, as in 10.0.0.53, or take those that DHCP brought',
      })
    }
    this.#libos = libos
    this.#servers = servers.map(serverAddress)
    this.#search = search.map(normalizeName)
    this.#ndots = ndots
    this.#timeout = timeout * 1e6
    this.#attempts = attempts
    this.#random = options.random ?? secureRandom()
    this.#order = options.order ?? ((addresses) => addresses)
    this.#cache = new DnsCache(cacheEntries)
  }

  /** The addresses of a host, in the order of `order`; an address is its own answer, and `localhost` is this host (RFC 6761 section 6.3). */
  async lookup(host: string, family: 0 | 4 | 6 = 0): Promise<readonly HostAddress[]> {
    const literal = literalAddress(host)
    if (literal !== undefined) {
      if (family !== 0 && literal.family !== family) throw absent(host, `is not an IPv${family} address`)
      return [literal]
    }
    if (/^(.+\.)?localhost\.?$/i.test(host)) {
      const both: HostAddress[] = [
        { address: '::1', family: 6 },
        { address: '127.0.0.1', family: 4 },
      ]
      return both.filter((one) => family === 0 || one.family === family)
    }
    let failure: unknown
    for (const name of this.#candidates(host)) {
      const found = await Promise.allSettled([
        family === 4 ? [] : this.#addresses(name, 'AAAA'),
        family === 6 ? [] : this.#addresses(name, 'A'),
      ])
      const addresses = found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
      if (addresses.length > 0) return this.#ordered(addresses)
      const failed = found.find((one) => one.status === 'rejected' && !isAbsence(one.reason))
      // A server that fails says nothing about the name: the next candidate could be another host's.
      if (failed?.status === 'rejected') throw failed.reason
      failure ??= found.find((one) => one.status === 'rejected')?.reason
    }
    throw isAbsence(failure) ? absent(host, 'is not known') : failure
  }

  /** The records of a name, as it stands, of one type, behind its aliases. */
  async resolve<T extends RecordType>(name: string, type: T): Promise<readonly (ResourceRecord & { type: T })[]> {
    let owner = normalizeName(name)
    for (let links = 0; links < LONGEST_CHAIN; links++) {
      const { records, absence } = await this.#ask(owner, type)
      if (absence !== undefined)
        throw absent(name, absence === 'no such name' ? 'does not exist' : `has no ${type} records`)
      const end = followAliases(records, owner)
      if (end === undefined) break
      const found = records.filter((record) => record.owner === end && record.type === type)
      if (found.length > 0) return found as unknown as readonly (ResourceRecord & { type: T })[]
      if (end === owner) throw absent(name, `has no ${type} records`)
      // The server gave the alias and not what it stands for.
      owner = end
    }
    throw new ParakernelError('EPROTO', 'is an alias of itself, or of too many others', { subject: name })
  }

  /** The names of an IPv4 or IPv6 address. @throws EINVAL for what is no address */
  async reverse(address: string): Promise<readonly string[]> {
    const records = await this.resolve(reverseName(address), 'PTR')
    return records.map((record) => record.name)
  }

  clearCache(): void {
    this.#cache.clear()
  }

  #ordered(addresses: readonly HostAddress[]): readonly HostAddress[] {
    const byText = new Map(addresses.map((one) => [one.address, one]))
    return this.#order([...byText.keys()]).flatMap((text) => byText.get(text) ?? [])
  }

  async #addresses(name: string, type: 'A' | 'AAAA'): Promise<HostAddress[]> {
    const family = type === 'A' ? 4 : 6
    return (await this.resolve(name, type)).map(({ address }) => ({ address, family }))
  }

  /** The names that `host` may stand for, in the order in which they are tried. */
  #candidates(host: string): string[] {
    const name = normalizeName(host)
    if (host.endsWith('.')) return [name]
    const searched = this.#search.map((domain) => `${name}.${domain}`)
    const dots = name.split('.').length - 1
    return dots >= this.#ndots ? [name, ...searched] : [...searched, name]
  }

  #ask(name: string, type: RecordType): Promise<CachedAnswer> {
    const cached = this.#cache.find(name, type, this.#now())
    if (cached !== undefined) {
      this.statistics.cacheHits++
      return Promise.resolve(cached)
    }
    const key = `${type} ${name}`
    const running = this.#asking.get(key)
    if (running !== undefined) return running
    const asking = this.#askServers(name, type).finally(() => this.#asking.delete(key))
    this.#asking.set(key, asking)
    return asking
  }

  async #askServers(name: string, type: RecordType): Promise<CachedAnswer> {
    let why: ErrorCode = 'ETIMEDOUT'
    let timeout = this.#timeout
    for (let round = 0; round < this.#attempts; round++) {
      for (const server of this.#servers) {
        const outcome = await this.#askServer(name, type, server, timeout)
        if (typeof outcome === 'string') {
          this.statistics[outcome === 'ETIMEDOUT' ? 'timeouts' : 'failures']++
          if (why === 'ETIMEDOUT') why = outcome
        } else if (outcome.code === NO_ERROR || outcome.code === NAME_ERROR) {
          this.statistics.answers++
          return this.#remember(name, type, outcome)
        } else {
          this.statistics.failures++
          why = 'EAGAIN'
        }
      }
      timeout *= 2
    }
    throw new ParakernelError(why, `${REASONS[why] ?? 'could not be asked for'}`, {
      subject: `${name} ${type}`,
      remedy: `Look whether ${this.#servers.map(({ address }) => address).join(', ')} can be reached and serves us`,
    })
  }

  async #askServer(name: string, type: RecordType, server: SocketAddress, timeout: number): Promise<Outcome> {
    const ask = (edns: boolean): Inquiry => {
      this.statistics.queries++
      const identifier = this.#random.next() & 0xffff
      return { name, type, server, edns, identifier, deadline: this.#now() + timeout }
    }
    const ignored = () => {
      this.statistics.ignored++
    }
    let outcome = await askByDatagram(this.#libos, ask(true), ignored)
    // RFC 6891 section 7: a server that does not know EDNS says so.
    if (typeof outcome !== 'string' && outcome.code === FORMAT_ERROR) {
      outcome = await askByDatagram(this.#libos, ask(false), ignored)
    }
    if (typeof outcome === 'string' || !outcome.truncated) return outcome
    this.statistics.overStream++
    return askByStream(this.#libos, ask(true))
  }

  #remember(name: string, type: RecordType, response: Response): CachedAnswer {
    const now = this.#now()
    const { code, answers, authority } = response
    const end = followAliases(answers, name) ?? name
    const useful = answers.filter((record) => record.type === type || record.type === 'CNAME')
    if (code === NAME_ERROR || (useful.length === 0 && end === name)) {
      const absence = code === NAME_ERROR ? 'no such name' : 'no such record'
      this.#cache.storeAbsence(name, type, absence, authority, now)
      return { records: [], absence, expires: now }
    }
    this.#cache.store(name, type, useful, now)
    return { records: useful, absence: undefined, expires: now }
  }

  #now(): number {
    return this.#libos.loop.clock.now()
  }
}

const REASONS: Partial<Record<ErrorCode, string>> = {
  ETIMEDOUT: 'was asked for, and no server answered',
  EAGAIN: 'was asked for, and the servers could not tell',
  ECONNREFUSED: 'was asked for, and no server listens there',
  ENETUNREACH: 'could not be asked for: no route leads to a server',
  EHOSTUNREACH: 'could not be asked for: the servers cannot be reached',
}

/** Where the aliases of an answer lead from `owner`; undefined when they lead in a circle. */
function followAliases(records: readonly ResourceRecord[], owner: string): string | undefined {
  let name = owner
  for (let links = 0; links <= LONGEST_CHAIN; links++) {
    const alias = records.find((record) => record.owner === name && record.type === 'CNAME')
    if (alias?.type !== 'CNAME') return name
    name = alias.name
  }
  return undefined
}

function absent(name: string, message: string): ParakernelError {
  return new ParakernelError('ENOENT', message, { subject: name })
}

function isAbsence(error: unknown): boolean {
  return error instanceof ParakernelError && error.code === 'ENOENT'
}

function serverAddress(text: string): SocketAddress {
  const address = literalAddress(text)?.address
  const server = address === undefined ? parseSocketAddress(text) : { address, port: 53 }
  if (literalAddress(server.address) === undefined) {
    throw new ParakernelError('EINVAL', 'is not the address of a DNS server', { subject: JSON.stringify(text) })
  }
  return server
}

function literalAddress(text: string): HostAddress | undefined {
  try {
    if (text.includes(':')) return { address: formatIpv6(parseIpv6(text)), family: 6 }
    parseIpv4(text)
    return { address: text, family: 4 }
  } catch {
    return undefined
  }
}

/** RFC 1035 section 3.5, RFC 3596 section 2.5: octets or nibbles, backwards. */
function reverseName(address: string): string {
  if (!address.includes(':')) {
    parseIpv4(address)
    return `${address.split('.').reverse().join('.')}.in-addr.arpa`
  }
  const digits = [...parseIpv6(address)].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  return `${[...digits].reverse().join('.')}.ip6.arpa`
}
