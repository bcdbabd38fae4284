import { COLUMN_CHECKSUM, type NetCapabilities } from '@parakernel/hal'
import { ETHERNET_HEADER } from '../ethernet.ts'
import type { XdpMode } from './interface-program.ts'

/** Drivers of cables that nothing crosses: what a peer's kernel left undone arrives so, and XDP does not tell. */
const VIRTUAL_DRIVERS = [
  'veth',
  'tun',
  'virtio_net',
  'vmxnet3',
  'xen_netfront',
  'vif',
  'hv_netvsc',
  'netkit',
  'netdevsim',
]

/**
 * Whether packets may arrive with their checksum undone: never from a wire. The kernel's generic hook sees packets after the kernel
 * joined them, which undoes it too; and of a driver without a name nothing is known.
 */
export function partialChecksumsOf(driver: string | undefined, mode: XdpMode): NetCapabilities['partialChecksums'] {
  const fromWire = driver !== undefined && !VIRTUAL_DRIVERS.includes(driver)
  return fromWire && mode === 'native' ? 'never' : 'unmarked'
}

export interface AfXdpFeatures {
  readonly mtu: number
  readonly ringSize: number
  /** Checksums are asked for by metadata. */
  readonly computes: boolean
  readonly partialChecksums: NetCapabilities['partialChecksums']
}

/** What an AF_XDP socket does: whole frames in and out, one frame a packet, no offload but the checksum if asked for. */
export function afXdpCapabilities({ mtu, ringSize, computes, partialChecksums }: AfXdpFeatures): NetCapabilities {
  return {
    columns: computes ? COLUMN_CHECKSUM : 0,
    checksum: { verifies: false, computes },
    partialChecksums,
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
    packetFilter: true,
    attach: 'worker',
    regions: ['plain', 'memfd'],
  }
}
