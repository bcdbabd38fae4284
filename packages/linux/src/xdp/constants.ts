/** Numbers of linux/if_xdp.h and of the socket layer that AF_XDP needs. */

export const AF_XDP = 44
export const SOL_XDP = 283

/** Socket options. */
export const XDP_MMAP_OFFSETS = 1
export const XDP_RX_RING = 2
export const XDP_TX_RING = 3
export const XDP_UMEM_REG = 4
export const XDP_UMEM_FILL_RING = 5
export const XDP_UMEM_COMPLETION_RING = 6
export const XDP_STATISTICS = 7
export const XDP_OPTIONS = 8
/** Since 6.18: how many TX descriptors one system call may work off (32 without it). */
export const XDP_MAX_TX_SKB_BUDGET = 9

/** Flags of the bind address. */
export const XDP_COPY = 1 << 1
export const XDP_ZEROCOPY = 1 << 2
export const XDP_USE_NEED_WAKEUP = 1 << 3

/** Set by the kernel in a ring's flags word: it sleeps, and wants a system call. */
export const XDP_RING_NEED_WAKEUP = 1

/** Page offsets at which the rings of a socket are mapped. */
export const XDP_PGOFF_RX_RING = 0
export const XDP_PGOFF_TX_RING = 0x8000_0000
export const XDP_UMEM_PGOFF_FILL_RING = 0x1_0000_0000
export const XDP_UMEM_PGOFF_COMPLETION_RING = 0x1_8000_0000

/** Bytes that the kernel keeps free before received data, besides the UMEM's own headroom. */
export const XDP_PACKET_HEADROOM = 256
/** Bytes of `struct xdp_desc`: address u64, length u32, options u32. */
export const XDP_DESCRIPTOR_BYTES = 16
/** Bytes of an entry of the fill and completion rings. */
export const XDP_ADDRESS_BYTES = 8
