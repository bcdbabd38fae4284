import type { DmaMemory, MemoryRegion, Persistence, RegisterWindow } from '@parakernel/hal'

/**
 * How the driver reaches one controller: its registers (BAR 0), memory that it can reach by DMA, and its interrupts. The same driver
 * runs on PCI hardware (`vfio/`), on a device model in another process, and on one in this thread.
 *
 * All of it belongs to the control thread. What the holder of a queue pair needs goes to its thread as clonable data: `share`, the
 * regions of the queue memory, and `VectorShare`.
 */
export interface NvmeTransport {
  /** As the user knows it: `0000:00:04.0`. Errors name it. */
  readonly name: string
  /** BAR 0, doorbells included. Reads give all ones when the device is gone, and never throw. */
  readonly registers: RegisterWindow
  readonly memory: DmaMemory
  /** Kinds of regions that `memory.map` takes; plain and memfd when absent. */
  readonly regions?: readonly MemoryRegion['kind'][]
  /** What the device's flush promises; `media` when absent. */
  readonly persistence?: Persistence
  readonly interrupts: Interrupts
  /** The same registers for another thread; absent when they are to be had in this thread only. */
  readonly share?: RegisterShare
  /** Only for a device model that lives in this thread: it does its work when it is asked to. Hardware has none. */
  readonly model?: DeviceModel
  /** Function level reset, for a controller that does not answer to CC.EN; absent where there is none. Returns when it is done. */
  reset?(): void
  /** Bus mastering off, mappings and interrupts gone, the device back with its owner. Idempotent. */
  close(): void | Promise<void>
}

/** Message-signalled interrupts. */
export interface Interrupts {
  /** Vectors that can be connected, from 0; 0: there are none, and every queue is polled. */
  readonly vectors: number
  /**
   * From now on `vector` wakes a sleeper. `wake` is the memory of the lease's wake word, for a device that can notify it; one that has
   * descriptors makes an eventfd instead. @throws ENOTSUP, ENOMEM, EMFILE
   */
  connect(vector: number, wake: SharedArrayBuffer): VectorShare
  /** Unknown vectors are ignored. */
  disconnect(vector: number): void
}

/** How a connected vector wakes the holder; clonable. The descriptor (an eventfd, non-blocking) stays the transport's. */
export type VectorShare =
  | { readonly kind: 'descriptor'; readonly fd: number }
  | { readonly kind: 'word' }
  | { readonly kind: 'none' }

/**
 * Registers as clonable data; `openRegisters` makes a window of it in any thread that it can serve:
 *
 * - `mapped`: BAR 0 is mapped into the process at `address`. Doorbells are plain 32-bit stores.
 * - `local`: a device model in one thread, by its number in that thread's table; in other threads its doorbells, passed on through the
 *   memory `relay`. The driver makes it.
 */
export type RegisterShare =
  | { readonly kind: 'mapped'; readonly address: number; readonly byteLength: number }
  | {
      readonly kind: 'local'
      readonly thread: number
      readonly id: number
      readonly relay: SharedArrayBuffer | undefined
    }

export interface DeviceModel {
  /** Does everything that is due now. Called by the driver wherever hardware would have had the time to act. */
  run(): void
  /** When there will be something to do by itself, in nanoseconds of its clock; Infinity: never. */
  nextEvent(): number
}
