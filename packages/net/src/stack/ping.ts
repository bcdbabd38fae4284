import { formatIp, isIpv4Mapped, parseIp } from '@parakernel/queue'
import type { EchoResult } from '../icmp/echo-requests.ts'
import type { ProtocolStack } from './protocol-stack.ts'

export interface PingOptions {
  /** Bytes of pattern in the request; 56. */
  readonly bytes?: number
  /** Nanoseconds to wait; 1 s. */
  readonly timeout?: number
  readonly ttl?: number
}

/** Sends an ICMP echo request of either family; `settle` hears what becomes of it, at once if it could not be sent. */
export function sendEcho(
  { echo, icmpOutput, ipv6 }: ProtocolStack,
  address: string,
  { bytes = 56, timeout = 1e9, ttl = 64 }: PingOptions,
  now: number,
  settle: (result: EchoResult) => void,
): void {
  const words = parseIp(address)
  const destination = isIpv4Mapped(words) ? words[3] : formatIp(words)
  const sequence = echo.begin(destination, now, timeout, settle)
  if (sequence < 0) {
    settle({ kind: 'failed', reason: 'ENOBUFS' })
    return
  }
  const sent =
    typeof destination === 'number'
      ? icmpOutput.echo(destination, echo.identifier, sequence, bytes, ttl)
      : (ipv6.icmpOutput?.echo(words, echo.identifier, sequence, bytes, ttl) ?? 'ENETUNREACH')
  if (sent !== 'sent' && sent !== 'waiting') {
    echo.end(sequence, destination, () => ({ kind: 'failed', reason: sent }))
  }
}
