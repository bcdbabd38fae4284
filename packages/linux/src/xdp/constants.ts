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

/** Flags of a UMEM, since Linux 6.8: frames may bear metadata before what is transmitted; the kernel sums in software. */
export const XDP_UMEM_TX_SW_CSUM = 1 << 1
export const XDP_UMEM_TX_METADATA_LEN = 1 << 2

/** An option of a TX descriptor: its frame bears metadata. */
export const XDP_TX_METADATA = 1 << 1
/** Flags of `struct xsk_tx_metadata`, its first eight bytes. */
export const XDP_TXMD_FLAGS_CHECKSUM = 1 << 1
/** Bytes of that structure: flags u64, checksum start u16, its offset u16, four unused, launch time u64. */
export const XDP_TX_METADATA_BYTES = 24

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
