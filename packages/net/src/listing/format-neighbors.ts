import { type Column, formatTable } from '@parakernel/queue'
import type { NeighborInfo } from '../stack/neighbors.ts'

const COLUMNS: readonly Column[] = [
  { heading: 'Address' },
  { heading: 'MAC' },
  { heading: 'State' },
  { heading: 'Interface' },
]

/** `control.neighbors()` as text, as of `ip neighbour`. */
export function formatNeighbors(neighbors: readonly NeighborInfo[]): string {
  return formatTable(
    COLUMNS,
    neighbors.map(({ address, mac, state, router, interface: name }) => [
      ...[address, mac ?? '-', router ? `${state}, router` : state, name],
    ]),
  )
}
