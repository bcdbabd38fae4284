import type { IpWords } from '@parakernel/queue'
import { isExtension } from '../ipv6/extension-headers.ts'
import * as fragment from '../ipv6/fragment.ts'
import * as ipv6 from '../ipv6/wire.ts'

/** Bytes of the upper layer that tell whose packet it was: the ports, or an echo's identifier and sequence number. */
const NEEDED = 8

/** What an ICMPv6 error says about a packet that we sent. One object, refilled. */
export class Quotation6 {
  protocol = 0
  readonly source: IpWords = new Int32Array(4)
  readonly destination: IpWords = new Int32Array(4)
  /** Length of the packet that was sent, its header included. */
  length = 0
  /** Address of the upper layer's header. */
  transport = 0
  /** One past the last byte that is quoted. */
  end = 0
}

/**
 * Reads the packet that an ICMPv6 error quotes, at `at`. False when it is too short, not IPv6, or a fragment without
 * the upper layer's header: then nobody can tell whose it was.
 */
export function readQuotation6(view: DataView, at: number, length: number, into: Quotation6): boolean {
  if (length < ipv6.HEADER_LENGTH + NEEDED || ipv6.version(view, at) !== 6) return false
  const end = at + length
  let next = ipv6.nextHeader(view, at)
  let header = at + ipv6.HEADER_LENGTH
  while (isExtension(next)) {
    if (header + 8 > end) return false
    const isFragment = next === ipv6.NEXT_FRAGMENT
    if (isFragment && (fragment.field(view, header) & fragment.OFFSET_MASK) !== 0) return false
    next = view.getUint8(header)
    header += isFragment ? fragment.HEADER_LENGTH : (view.getUint8(header + 1) + 1) << 3
  }
  if (header + NEEDED > end) return false
  into.protocol = next
  ipv6.readAddress(view, at + ipv6.SOURCE, into.source)
  ipv6.readAddress(view, at + ipv6.DESTINATION, into.destination)
  into.length = ipv6.HEADER_LENGTH + ipv6.payloadLength(view, at)
  into.transport = header
  into.end = end
  return true
}
