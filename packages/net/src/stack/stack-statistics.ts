import { interfaceStatistics } from '../statistics/interface-statistics.ts'
import { TCP_INPUT_COUNTERS } from '../tcp/input-counters.ts'
import type { ProtocolStack } from './protocol-stack.ts'

/**
 * All counters of a stack by group, under their MIB names where a MIB has them: `ip`, `tcp` and so on, and `if-net0` (RFC 2863) for each
 * interface by its name.
 */
export function stackStatistics({ context, interfaces, tcp }: ProtocolStack): Record<string, Record<string, number>> {
  const groups: Record<string, Record<string, number>> = context.counters.byGroup()
  const { counters, inputCounters, established, settings } = tcp.context
  add(groups, context.counters6.names, context.counters6.values)
  add(groups, counters.names, counters.values)
  add(groups, TCP_INPUT_COUNTERS, inputCounters.values)
  const { tcp: values } = groups
  // RFC 4022 does not count those of them that are retransmissions.
  values['tcpOutSegs'] -= values['tcpRetransSegs']
  // 4 is "vanj", the algorithms of RFC 2988 and its successor; times are in milliseconds.
  Object.assign(values, {
    tcpRtoAlgorithm: 4,
    tcpRtoMin: settings.minimumRto / 1e6,
    tcpRtoMax: settings.maximumRto / 1e6,
    tcpMaxConn: tcp.context.limits.connections,
    tcpCurrEstab: established,
  })
  for (const iface of interfaces) groups[`if-${iface.name}`] = interfaceStatistics(iface)
  return groups
}

function add(
  groups: Record<string, Record<string, number>>,
  names: readonly string[],
  values: Readonly<Float64Array>,
): void {
  names.forEach((name, i) => {
    const [group, counter] = name.split('.')
    groups[group] ??= {}
    groups[group][counter] = (groups[group][counter] ?? 0) + values[i]
  })
}
