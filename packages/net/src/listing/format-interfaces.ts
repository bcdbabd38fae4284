import { type Column, formatTable } from '@parakernel/queue'
import type { AddressInfo, InterfaceInfo } from '../stack/control.ts'

const COLUMNS: readonly Column[] = [
  { heading: 'Interface' },
  { heading: 'State' },
  { heading: 'MTU', right: true },
  { heading: 'MAC' },
  { heading: 'In packets', right: true },
  { heading: 'In bytes', right: true },
  { heading: 'In drops', right: true },
  { heading: 'Out packets', right: true },
  { heading: 'Out bytes', right: true },
  { heading: 'Out drops', right: true },
  { heading: 'Addresses' },
]

/** `control.interfaces()` and `control.addresses()` as text, as of `netstat -i` and `ip address`: a line an interface. */
export function formatInterfaces(interfaces: readonly InterfaceInfo[], addresses: readonly AddressInfo[]): string {
  const rows = interfaces.map((one) => {
    const count = (...names: readonly string[]) =>
      String(names.reduce((sum, name) => sum + (one.statistics[name] ?? 0), 0))
    const own = addresses.filter((entry) => entry.interface === one.name).map(describe)
    return [
      ...[one.name, one.up ? 'up' : 'down', String(one.mtu), one.mac],
      count('ifInUcastPkts', 'ifInMulticastPkts', 'ifInBroadcastPkts'),
      count('ifInOctets'),
      count('ifInDiscards', 'ifInErrors'),
      count('ifOutUcastPkts', 'ifOutMulticastPkts', 'ifOutBroadcastPkts'),
      count('ifOutOctets'),
      count('ifOutDiscards', 'ifOutErrors'),
      own.join(', '),
    ]
  })
  return formatTable(COLUMNS, rows)
}

/** The state is named where it is not the usual one. */
function describe({ address, prefix, state }: AddressInfo): string {
  return `${address}/${prefix}${state === 'preferred' ? '' : ` (${state})`}`
}
