/** One ring of a socket, mapped by the control thread. Offsets are in bytes from `address`. */
export interface MappedRing {
  readonly address: number
  readonly length: number
  readonly producer: number
  readonly consumer: number
  readonly flags: number
  readonly entries: number
}

/** The device's `FilterTable`, mapped once by the control thread, and what the interface needs to be told. */
export interface FilterMemory {
  readonly address: number
  readonly length: number
  /** Queues that the table has room for: those of the program, which may be more than the device's. */
  readonly queues: number
  /** A packet socket that holds the memberships of all queues, for as long as the device is open. */
  readonly socket: number
  readonly interfaceIndex: number
}

/**
 * What a grant carries for AF_XDP. The rings are mapped once, by the control thread, and every thread of the process looks
 * at the same addresses: so the control thread can take them away again when the holder died (see `retire.ts`).
 */
export interface XdpTransport {
  /** Tells the grants of a device apart. */
  readonly id: number
  /** Addresses mean something only in this process. */
  readonly processId: number
  /**
   * The queue's descriptor slot, owned by the control thread. It is the socket while the grant lives and a placeholder
   * afterwards; the number is never another object's, so a holder that comes late does no harm with it.
   */
  readonly descriptor: number
  /** An eventfd that is always readable; takes the socket's place in the slot. */
  readonly placeholder: number
  /** Entries of each of the four rings; a power of two. */
  readonly ringSize: number
  /** Bytes before each packet that are the kernel's, for metadata; 0 without it. */
  readonly metadataBytes: number
  readonly rx: MappedRing
  readonly tx: MappedRing
  readonly fill: MappedRing
  readonly completion: MappedRing
  /** Two shared words: whether the socket is still there, and whether the holder looks at it (see `retire.ts`). */
  readonly retirement: SharedArrayBuffer
  /** Undefined in a process that was leased the queue: the filter is the control plane's. */
  readonly filter: FilterMemory | undefined
  /** Shared memory of a `Ledger`. */
  readonly ledger: SharedArrayBuffer
}
