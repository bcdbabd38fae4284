import { createHash } from 'node:crypto'
import type { IpWords } from '@parakernel/queue'
import type { RandomSource } from '../random.ts'

/** The lower 64 bits of an address, as two int32. They are never made from a MAC address (RFC 8064). */
export interface InterfaceIdentifier {
  readonly high: number
  readonly low: number
}

/** What the stable identifiers of a host depend on (RFC 7217 section 5). */
export interface StableIdentifierKey {
  /** At least 128 bits that stay the same as long as the addresses shall. */
  readonly secret: Uint8Array
  /** What stays the same about the interface: its name, say. */
  readonly interfaceName: string
  /** What tells one network from another beside its prefix; may be empty. */
  readonly networkId: string
}

/**
 * The identifier that this host has in a network: the same each time it comes back, different in each network, and
 * telling nothing about the hardware (RFC 7217). F() is SHA-256 over the fields with their lengths.
 * @param counter conflicts that duplicate detection has found so far
 */
export function stableIdentifier(prefix: IpWords, counter: number, key: StableIdentifierKey): InterfaceIdentifier {
  for (let attempt = counter; ; attempt += 0x1_0000) {
    const hash = createHash('sha256')
    const network = new DataView(new ArrayBuffer(16))
    network.setInt32(0, prefix[0])
    network.setInt32(4, prefix[1])
    network.setUint32(8, attempt)
    for (const field of [new Uint8Array(network.buffer), key.interfaceName, key.networkId, key.secret]) {
      const bytes = typeof field === 'string' ? new TextEncoder().encode(field) : field
      hash.update(Uint8Array.of(bytes.length >> 8, bytes.length)).update(bytes)
    }
    const digest = hash.digest()
    const identifier = { high: digest.readInt32BE(24), low: digest.readInt32BE(28) }
    if (!isReservedIdentifier(identifier)) return identifier
  }
}

/** A random one, for temporary addresses (RFC 8981 section 3.3.1). */
export function randomIdentifier(random: RandomSource): InterfaceIdentifier {
  for (;;) {
    const identifier = { high: random.next() | 0, low: random.next() | 0 }
    if (!isReservedIdentifier(identifier)) return identifier
  }
}

/**
 * The identifiers of RFC 5453: the routers' anycast address, IANA's Ethernet block, and the reserved anycast
 * addresses.
 */
export function isReservedIdentifier({ high, low }: InterfaceIdentifier): boolean {
  if (high === 0 && low === 0) return true
  if (high === 0x0200_5eff && low >>> 24 === 0xfe) return true
  return high === (0xfdff_ffff | 0) && low >>> 7 === 0xffff_ff80 >>> 7
}

/** The address of `identifier` in a /64. */
export function joinIdentifier(prefix: IpWords, { high, low }: InterfaceIdentifier): IpWords {
  return Int32Array.of(prefix[0], prefix[1], high, low)
}
