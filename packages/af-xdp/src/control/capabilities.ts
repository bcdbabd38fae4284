import type { NetCapabilities } from '@parakernel/hal'
import { ETHERNET_HEADER } from '../ethernet.ts'

/** What an AF_XDP socket does: whole frames in and out, one frame a packet, no offloads. */
export function afXdpCapabilities(mtu: number, ringSize: number): NetCapabilities {
  return {
    columns: 0,
    checksum: { verifies: false, computes: false },
    // A virtual cable (veth, virtio, tap) carries what the peer's kernel left undone, and XDP does not tell.
    partialChecksums: 'unmarked',
    transmitSegmentation: 0,
    receiveSegmentation: 0,
    maxChain: 1,
    transmitAlignment: 1,
    maxPacket: mtu + ETHERNET_HEADER,
    maxSuperPacket: mtu + ETHERNET_HEADER,
    ringSize,
    steering: false,
    // The NIC's own choice; a veth takes the peer's transmit queue.
    rss: 'device',
    receiveFilter: true,
    attach: 'worker',
    regions: ['plain', 'memfd'],
  }
}
