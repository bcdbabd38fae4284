import { formatSocketAddress } from '../address/socket-address.ts'
import type { SocketInfo } from '../network-libos.ts'
import { type Column, formatTable } from './table.ts'

const COLUMNS: readonly Column[] = [
  { heading: 'Proto' },
  { heading: 'State' },
  { heading: 'Recv-Q', right: true },
  { heading: 'Send-Q', right: true },
  { heading: 'Local' },
  { heading: 'Peer' },
  { heading: 'Details' },
]

/** `NetworkLibOS.sockets()` as text, as of `ss`: listeners first, then by protocol and local address. */
export function formatSockets(sockets: readonly SocketInfo[]): string {
  return formatTable(COLUMNS, [...sockets].sort(inOrder).map(rowOf))
}

function rowOf({ type, family, state, receiveQueue, sendQueue, local, peer, details }: SocketInfo): string[] {
  const protocol = `${type === 'stream' ? 'tcp' : 'udp'}${family === 'ipv6' ? '6' : ''}`
  const more = Object.entries(details).map(([name, value]) => `${name} ${value}`)
  return [
    ...[protocol, state, String(receiveQueue), String(sendQueue), formatSocketAddress(local)],
    ...[peer === undefined ? '*' : formatSocketAddress(peer), more.join(', ')],
  ]
}

function inOrder(a: SocketInfo, b: SocketInfo): number {
  const listening = Number(b.state === 'listen') - Number(a.state === 'listen')
  if (listening !== 0) return listening
  const protocol = b.type.localeCompare(a.type) || a.family.localeCompare(b.family)
  return (
    protocol || a.local.port - b.local.port || formatSocketAddress(a.local).localeCompare(formatSocketAddress(b.local))
  )
}
