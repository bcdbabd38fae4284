import { commonPrefixLength, type IpWords, same, scopeOf } from './address.ts'
import { DEFAULT_POLICIES, type Policy, policyOf } from './policy-table.ts'

/** What the choice of a source needs to know of an address of ours. */
export interface SourceCandidate {
  readonly words: IpWords
  /** Bits of its network. */
  readonly prefix: number
  readonly deprecated: boolean
  readonly temporary: boolean
  /** The router that advertised its prefix. */
  readonly router: IpWords | undefined
}

/**
 * The source address for a packet to `destination` (RFC 6724 section 5), among the assigned addresses of the
 * interface that it leaves by; undefined when there are none. Home addresses (rule 4) do not exist here, and rule 5
 * is the caller's choice of candidates.
 * @param nextHop the router that the packet goes to, for rule 5.5
 */
export function selectSource<T extends SourceCandidate>(
  destination: IpWords,
  candidates: readonly T[],
  nextHop: IpWords | undefined = undefined,
  table: readonly Policy[] = DEFAULT_POLICIES,
): T | undefined {
  let best: T | undefined
  for (const candidate of candidates) {
    if (best === undefined || compare(candidate, best, destination, nextHop, table) > 0) best = candidate
  }
  return best
}

/** Above 0 when `a` is the better source, below 0 when `b` is. */
function compare(
  a: SourceCandidate,
  b: SourceCandidate,
  destination: IpWords,
  nextHop: IpWords | undefined,
  table: readonly Policy[],
): number {
  // Rule 1: the destination itself.
  const itself = prefer(same(a.words, destination), same(b.words, destination))
  if (itself !== 0) return itself
  // Rule 2: the smallest scope that still reaches the destination.
  const [scopeA, scopeB, scopeD] = [scopeOf(a.words), scopeOf(b.words), scopeOf(destination)]
  if (scopeA !== scopeB) {
    const smaller = Math.min(scopeA, scopeB)
    return (scopeA === smaller) === smaller >= scopeD ? 1 : -1
  }
  // Rule 3: not deprecated.
  const current = prefer(!a.deprecated, !b.deprecated)
  if (current !== 0) return current
  // Rule 5.5: from the prefix of the router that it is sent to.
  if (nextHop !== undefined) {
    const ofRouter = prefer(
      a.router !== undefined && same(a.router, nextHop),
      b.router !== undefined && same(b.router, nextHop),
    )
    if (ofRouter !== 0) return ofRouter
  }
  // Rule 6: the same label.
  const label = policyOf(destination, table).label
  const labelled = prefer(policyOf(a.words, table).label === label, policyOf(b.words, table).label === label)
  if (labelled !== 0) return labelled
  // Rule 7: temporary ones.
  const temporary = prefer(a.temporary, b.temporary)
  if (temporary !== 0) return temporary
  // Rule 8: the longest prefix in common with the destination, as far as the source's network goes.
  return commonOf(a, destination) - commonOf(b, destination)
}

function prefer(a: boolean, b: boolean): number {
  return Number(a) - Number(b)
}

function commonOf({ words, prefix }: SourceCandidate, destination: IpWords): number {
  return Math.min(prefix, commonPrefixLength(words, destination))
}
