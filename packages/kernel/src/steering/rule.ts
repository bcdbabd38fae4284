import {
  type CompiledFilter,
  compileFilter,
  expr,
  type FilterExpression,
  type FilterField,
  type FilterValue,
  interpretValue,
  type PacketLayout,
  ParakernelError,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseIpAddress,
  type SteeringRule,
} from '@parakernel/hal'

/** Packets that match go to a partition, or are spread over a run of them. The first rule that matches counts. Plain data. */
export interface PartitionRule {
  readonly protocol: 'udp' | 'tcp'
  /** One port, or an inclusive range. */
  readonly destinationPort?: number | readonly [first: number, last: number]
  /** A prefix (`10.1.0.0/16`), or one address. */
  readonly destination?: string
  readonly source?: string
  readonly partition: number
  /** Partitions from `partition` on: of a port range, port `first + i` goes to `partition + i % spread`; with a hash, by that. */
  readonly spread?: number
  /**
   * Spreads by a hash (`filterHash`) of these bytes of what UDP or TCP carry, a key say. A packet that is too short for them does
   * not match.
   */
  readonly hash?: { readonly offset: number; readonly length: number; readonly seed?: number }
}

/** A rule as the classifier uses it. */
interface CompiledRule {
  readonly match: CompiledFilter
  readonly partition: number
  readonly spread: number
  /** Of which the remainder by `spread` is added to `partition`. */
  readonly by: FilterValue | undefined
  /** Taken off before. */
  readonly first: number
}

/** Which partition a packet belongs to. */
export class Classifier {
  readonly #rules: readonly CompiledRule[]

  /** @throws EINVAL for a rule that no packet can match, or that names partitions that there are not */
  constructor(rules: readonly PartitionRule[], partitions: number) {
    this.#rules = rules.map((rule, i) => compileRule(rule, partitions, `steering rule ${i}`))
  }

  /** -1 when no rule matches: the packet belongs where it arrived. */
  ownerOf(bytes: Uint8Array, layout: PacketLayout): number {
    const rules = this.#rules
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]
      if (!rule.match(bytes, layout)) continue
      if (rule.by === undefined) return rule.partition
      return rule.partition + ((interpretValue(rule.by, bytes, layout) - rule.first) % rule.spread)
    }
    return -1
  }
}

/** @throws EINVAL */
export function checkRules(rules: readonly PartitionRule[], partitions: number): void {
  new Classifier(rules, partitions)
}

function compileRule(rule: PartitionRule, partitions: number, subject: string): CompiledRule {
  const invalid = (message: string) => new ParakernelError('EINVAL', message, { subject })
  const { protocol, partition, spread = 1, hash } = rule
  if (protocol !== 'udp' && protocol !== 'tcp') throw invalid(`protocol ${protocol} is not udp or tcp`)
  if (!Number.isInteger(spread) || spread < 1) throw invalid(`spread ${spread} is not a positive integer`)
  if (!Number.isInteger(partition) || partition < 0 || partition + spread > partitions) {
    throw invalid(
      `partitions ${partition} to ${partition + spread - 1} are not among the ${partitions} of this machine`,
    )
  }
  const terms: FilterExpression[] = [
    expr.eq(expr.field('ip.protocol'), protocol === 'udp' ? PROTOCOL_UDP : PROTOCOL_TCP),
  ]
  const ports = portsOf(rule)
  if (ports !== undefined) {
    const [first, last] = ports
    if (!(Number.isInteger(first) && Number.isInteger(last) && first >= 0 && first <= last && last <= 65_535)) {
      throw invalid(`ports ${first} to ${last} are not a range within 0 to 65535`)
    }
    const port = expr.field('port.destination')
    terms.push(expr.ge(port, first), expr.le(port, last))
  }
  if (rule.destination !== undefined) terms.push(...withinPrefix('destination', rule.destination, invalid))
  if (rule.source !== undefined) terms.push(...withinPrefix('source', rule.source, invalid))
  let by: FilterValue | undefined
  if (hash !== undefined) {
    by = expr.hash('payload', hash.offset, hash.length, hash.seed ?? 0)
    terms.push(expr.present(by))
  } else if (spread > 1) {
    if (ports === undefined) throw invalid('a spread needs a range of ports, or a hash')
    by = expr.field('port.destination')
  }
  try {
    const { match } = compileFilter(expr.all(...terms))
    return { match, partition, spread, by, first: hash === undefined ? (ports?.[0] ?? 0) : 0 }
  } catch (cause) {
    throw new ParakernelError('EINVAL', (cause as Error).message, { subject, cause })
  }
}

export function portsOf({ destinationPort }: PartitionRule): readonly [first: number, last: number] | undefined {
  return typeof destinationPort === 'number' ? [destinationPort, destinationPort] : destinationPort
}

/** An address that is wholly given, or undefined for a prefix. */
export function wholeAddress(prefix: string): string | undefined {
  const [address, length] = prefix.split('/')
  return length === undefined || Number(length) === parseIpAddress(address).length * 8 ? address : undefined
}

function withinPrefix(
  which: 'source' | 'destination',
  prefix: string,
  invalid: (message: string) => ParakernelError,
): FilterExpression[] {
  const [text, lengthText] = prefix.split('/')
  const bytes = parseIpAddress(text)
  const length = lengthText === undefined ? bytes.length * 8 : Number(lengthText)
  if (!Number.isInteger(length) || length < 0 || length > bytes.length * 8 || lengthText === '') {
    throw invalid(`${prefix} is not a prefix of 0 to ${bytes.length * 8} bits`)
  }
  const view = new DataView(bytes.buffer)
  const terms = [expr.eq(expr.field('ip.version'), bytes.length === 4 ? 4 : 6)]
  for (let word = 0; word * 32 < length; word++) {
    const bits = Math.min(32, length - word * 32)
    const mask = bits === 32 ? 0xffff_ffff : (0xffff_ffff << (32 - bits)) >>> 0
    const name = bytes.length === 4 ? `ipv4.${which}` : `ipv6.${which}.${word}`
    const expected = (view.getUint32(word * 4) & mask) >>> 0
    terms.push(expr.eq(expr.and(expr.field(name as FilterField), mask), expected))
  }
  return terms
}

/** The rule as a device takes it, or why none takes such a rule. Queue p is partition p's. */
export function deviceRule(rule: PartitionRule): SteeringRule | string {
  const { protocol, destinationPort, destination, source, partition, spread, hash } = rule
  if (hash !== undefined) return 'no device hashes a key'
  if (source !== undefined) return 'no device looks at source addresses'
  const address = destination === undefined ? undefined : wholeAddress(destination)
  if (destination !== undefined && address === undefined) return 'no device compares prefixes'
  return {
    protocol,
    ...(destinationPort !== undefined && { destinationPort }),
    ...(address !== undefined && { destinationAddress: address }),
    queue: partition,
    ...(spread !== undefined && { spread }),
  }
}
