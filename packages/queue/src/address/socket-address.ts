import { ParakernelError } from '@parakernel/hal'
import type { SocketAddress } from '../types.ts'

/** `10.0.0.1:7`, `[fe80::1]:7`. */
export function formatSocketAddress({ address, port }: SocketAddress): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** The reverse of `formatSocketAddress`. Says nothing about whether the address part is one. @throws EINVAL */
export function parseSocketAddress(text: string): SocketAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new ParakernelError('EINVAL', 'is not an address and a port', {
      subject: JSON.stringify(text),
      remedy: 'Write them as in 10.0.0.1:7 or [fe80::1]:7',
    })
  }
  return { address: match[1] ?? match[2], port }
}

export function sameSocketAddress(a: SocketAddress, b: SocketAddress): boolean {
  return a.port === b.port && a.address === b.address
}

/** @throws EINVAL unless `port` is an integer from 0 to 65,535 */
export function checkPort(port: number): number {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new ParakernelError('EINVAL', 'is not a port', {
      subject: String(port),
      remedy: 'Use an integer from 0 to 65535',
    })
  }
  return port
}
