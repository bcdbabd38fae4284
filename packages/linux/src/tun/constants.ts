/** Numbers of linux/if_tun.h. */

/** Flags of TUNSETIFF. */
export const IFF_TUN = 0x0001
export const IFF_TAP = 0x0002
export const IFF_MULTI_QUEUE = 0x0100
/** Packets bare, without the four bytes of `struct tun_pi`. */
export const IFF_NO_PI = 0x1000
/** Packets preceded by a `struct virtio_net_hdr`. */
export const IFF_VNET_HDR = 0x4000

/** What a program that reads from the device can do itself, so that the kernel need not (TUNSETOFFLOAD). */
export const TUN_F_CSUM = 0x01
export const TUN_F_TSO4 = 0x02
export const TUN_F_TSO6 = 0x04
export const TUN_F_TSO_ECN = 0x08
/** Since Linux 6.2, and only both together. */
export const TUN_F_USO4 = 0x20
export const TUN_F_USO6 = 0x40

/** Flags of `virtio_net_hdr`. */
export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1
export const VIRTIO_NET_HDR_F_DATA_VALID = 2
/** Its types of segmentation. */
export const VIRTIO_NET_HDR_GSO_NONE = 0
export const VIRTIO_NET_HDR_GSO_TCPV4 = 1
export const VIRTIO_NET_HDR_GSO_TCPV6 = 4
export const VIRTIO_NET_HDR_GSO_UDP_L4 = 5
/** Beside a TCP type: the first segment alone bears CWR. */
export const VIRTIO_NET_HDR_GSO_ECN = 0x80
/** Bytes of the header without a count of buffers: flags u8, type u8, then u16 header length, segment size, checksum start, offset. */
export const VIRTIO_NET_HDR_BYTES = 10
