import { type IpWords, matchesPrefix, parseIpv6 } from './address.ts'

/** A row of the table that orders addresses by kind (RFC 6724 section 2.1). */
export interface Policy {
  readonly prefix: IpWords
  readonly length: number
  readonly precedence: number
  readonly label: number
}

const row = (prefix: string, length: number, precedence: number, label: number): Policy => ({
  prefix: parseIpv6(prefix),
  length,
  precedence,
  label,
})

/** The default table of RFC 6724 section 2.1, longest prefix first. */
export const DEFAULT_POLICIES: readonly Policy[] = [
  row('::1', 128, 50, 0),
  row('::ffff:0:0', 96, 35, 4),
  row('::', 96, 1, 3),
  row('2001::', 32, 5, 5),
  row('2002::', 16, 30, 2),
  row('3ffe::', 16, 1, 12),
  row('fec0::', 10, 1, 11),
  row('fc00::', 7, 3, 13),
  row('::', 0, 40, 1),
]

/**
 * The row of the longest prefix that an address has. @param table longest prefix first, with one for everything at
 * its end
 */
export function policyOf(address: IpWords, table: readonly Policy[] = DEFAULT_POLICIES): Policy {
  for (const policy of table) if (matchesPrefix(address, policy.prefix, policy.length)) return policy
  return table[table.length - 1]
}
