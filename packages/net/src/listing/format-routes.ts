import { type Column, formatTable } from '@parakernel/queue'
import type { RouteInfo } from '../stack/control.ts'

const COLUMNS: readonly Column[] = [
  { heading: 'Destination' },
  { heading: 'Gateway' },
  { heading: 'Interface' },
  { heading: 'Metric', right: true },
  { heading: 'Origin' },
]

/** `control.routes()` as text, as of `netstat -r`, in the order in which they are tried. */
export function formatRoutes(routes: readonly RouteInfo[]): string {
  return formatTable(
    COLUMNS,
    routes.map(({ destination, gateway, interface: name, metric, origin }) => [
      ...[isDefault(destination) ? 'default' : destination, gateway ?? '*', name, String(metric), origin],
    ]),
  )
}

function isDefault(destination: string): boolean {
  return destination === '0.0.0.0/0' || destination === '::/0'
}
