import { PROTOCOL_ICMPV6 } from './packet.ts'

/** IPv6 asks for routers and tells of its groups (RFC 4861, RFC 3810): not what a script is about. */
export function ofTheLink(packet: Uint8Array): boolean {
  if (packet[0] >> 4 !== 6) return false
  const afterOptions = packet[6] === 0 ? 40 + (packet[41] + 1) * 8 : 40
  const next = packet[6] === 0 ? packet[40] : packet[6]
  const type = packet[afterOptions]
  return next === PROTOCOL_ICMPV6 && ((type >= 130 && type <= 137) || type === 143)
}
