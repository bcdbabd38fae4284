import type { IpWords } from '@parakernel/queue'
import { fold, sumBytes } from '../checksum/internet-checksum.ts'
import { addressSum, addressSumAt, NEXT_ICMPV6 } from '../ipv6/wire.ts'
import type { PacketMemory } from '../packet-memory.ts'

/** The checksum of a message whose checksum field is zero, over the pseudo-header too (RFC 4443 section 2.3). */
export function icmpv6Checksum(memory: PacketMemory, at: number, length: number, from: IpWords, to: IpWords): number {
  return ~fold(addressSum(from, to) + NEXT_ICMPV6 + length + sumBytes(memory, at, length)) & 0xffff
}

/** Whether the message at `at` in the packet at `packet` has its right checksum. */
export function isChecksumRight(memory: PacketMemory, packet: number, at: number, length: number): boolean {
  return fold(addressSumAt(memory.view, packet) + NEXT_ICMPV6 + length + sumBytes(memory, at, length)) === 0xffff
}
