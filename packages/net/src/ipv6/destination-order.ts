import { commonPrefixLength, type IpWords, isIpv4Mapped, scopeOf } from './address.ts'
import { DEFAULT_POLICIES, type Policy, policyOf } from './policy-table.ts'
import type { SourceCandidate } from './source-selection.ts'

/**
 * Orders the addresses of one name, the best to try first (RFC 6724 section 6); IPv4 ones are mapped. Equal ones keep
 * their order (rule 10). There are no home addresses (rule 4) and no tunnels (rule 7) here.
 * @param sourceFor the source that a packet would have; undefined where the destination cannot be reached
 */
export function orderDestinations(
  destinations: readonly IpWords[],
  sourceFor: (destination: IpWords) => SourceCandidate | undefined,
  table: readonly Policy[] = DEFAULT_POLICIES,
): IpWords[] {
  const ranked = destinations.map((destination) => ({ destination, source: sourceFor(destination) }))
  return ranked.sort((a, b) => compare(a, b, table)).map(({ destination }) => destination)
}

interface Ranked {
  readonly destination: IpWords
  readonly source: SourceCandidate | undefined
}

/** Below 0 when `a` goes first. */
function compare(a: Ranked, b: Ranked, table: readonly Policy[]): number {
  // Rule 1: those that can be reached.
  if (a.source === undefined || b.source === undefined) return first(a.source !== undefined, b.source !== undefined)
  // Rule 2: those of their source's scope.
  const scope = first(
    scopeOf(a.destination) === scopeOf(a.source.words),
    scopeOf(b.destination) === scopeOf(b.source.words),
  )
  if (scope !== 0) return scope
  // Rule 3: those whose source is not deprecated.
  const current = first(!a.source.deprecated, !b.source.deprecated)
  if (current !== 0) return current
  const [policyA, policyB] = [policyOf(a.destination, table), policyOf(b.destination, table)]
  // Rule 5: those of their source's label.
  const label = first(
    policyA.label === policyOf(a.source.words, table).label,
    policyB.label === policyOf(b.source.words, table).label,
  )
  if (label !== 0) return label
  // Rule 6: the higher precedence. Rule 8: the smaller scope.
  if (policyA.precedence !== policyB.precedence) return policyB.precedence - policyA.precedence
  const [scopeA, scopeB] = [scopeOf(a.destination), scopeOf(b.destination)]
  if (scopeA !== scopeB) return scopeA - scopeB
  // Rule 9: the longest prefix in common with the source, within one family.
  if (isIpv4Mapped(a.destination) || isIpv4Mapped(b.destination)) return 0
  return commonOf(b) - commonOf(a)
}

function first(a: boolean, b: boolean): number {
  return Number(b) - Number(a)
}

function commonOf({ destination, source }: Ranked): number {
  return source === undefined ? 0 : Math.min(source.prefix, commonPrefixLength(source.words, destination))
}
