/** One ring of a socket, mapped by the control thread. Offsets are in bytes from `address`. */
export interface MappedRing {
  readonly address: number
  readonly length: number
  readonly producer: number
  readonly consumer: number
  readonly flags: number
  readonly entries: number
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
  readonly rx: MappedRing
  readonly tx: MappedRing
  readonly fill: MappedRing
  readonly completion: MappedRing
  /** Two shared words: whether the socket is still there, and whether the holder looks at it (see `retire.ts`). */
  readonly retirement: SharedArrayBuffer
  /** Shared memory of a `Ledger`. */
  readonly ledger: SharedArrayBuffer
}
