import type { MappedIoUring, MappedRange } from '@parakernel/linux'

/** How blocks are zeroed: a range of the file system or device, a hole, or plain writes of zeros. */
export type ZeroMethod = 'zero-range' | 'punch-hole' | 'write'
/** How blocks are given up. */
export type DeallocateMethod = 'punch-hole' | 'discard'

/**
 * What a grant carries for io_uring. The rings and the scratch memory are mapped once, by the control thread, and every thread of
 * the process sees them at the same addresses, so that the control thread can take them away when the holder died (`retire.ts`).
 */
export interface IoUringTransport {
  /** Tells the grants of a device apart. */
  readonly id: number
  /** Addresses mean something only in this process. */
  readonly processId: number
  /**
   * The ring; its descriptor is the queue's slot, owned by the control thread: the ring while the grant lives and a placeholder
   * afterwards. File 0 of the ring is the device.
   */
  readonly ring: MappedIoUring
  /** A second one for what cannot be polled for, where `ring` polls its device. */
  readonly unpolledRing: MappedIoUring | null
  /** Whoever made the rings enabled them; otherwise the holder does, and is from then on the one thread that submits. */
  readonly enabled: boolean
  /** Address of the window's region. */
  readonly regionAddress: number
  /** Whether the window is registered: from its first byte, in buffers of `FIXED_BUFFER_MAX`. */
  readonly registered: boolean
  /** Vectors of the commands that have several segments, 16 bytes each, `maxSegments` for each of `queueDepth` slots; then zeros. */
  readonly scratch: MappedRange
  readonly zeros: MappedRange
  readonly zeroMethod: ZeroMethod
  readonly deallocateMethod: DeallocateMethod
  /** Takes the ring's place in its slot; an eventfd that is always readable. */
  readonly placeholder: number
  /** An eventfd that completions signal when the holder asks for it. */
  readonly wake: number
  /** Shared words of `retire.ts`. */
  readonly retirement: SharedArrayBuffer
}
