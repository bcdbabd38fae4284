import { closeSync } from 'node:fs'
import { type FrameWindow, ParakernelError } from '@parakernel/hal'
import {
  createGoneWatch,
  createQuickIoUring,
  type GoneWatch,
  IORING_SETUP_IOPOLL,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SQPOLL,
  IoUring,
  type IoUringRequest,
  type OwnedIoUring,
  regionAddress,
  registerBuffers,
  registerEventFd,
  registerFiles,
} from '@parakernel/linux'

export interface QueueRingOptions {
  readonly subject: string
  /** The open file or device. */
  readonly target: number
  readonly window: FrameWindow
  readonly depth: number
  readonly wake: number
  readonly submissionThread: boolean
  readonly submissionIdle: number
  readonly polled: boolean
  readonly registerBuffers: boolean
  readonly warn: ((message: string) => void) | undefined
}

export interface QueueRing {
  readonly owned: OwnedIoUring
  readonly registered: boolean
  /** Tells when the kernel has ended the ring, its last command included. */
  readonly gone: GoneWatch
}

/**
 * Makes the ring of one queue, disabled: who attaches enables it, and is from then on the one thread that submits. Registers the
 * device, the window and the eventfd. Throws typed errors and leaves nothing open then.
 */
export function createQueueRing(options: QueueRingOptions): QueueRing {
  const { subject, target, depth, wake, submissionThread, submissionIdle, polled } = options
  const request: IoUringRequest = {
    entries: depth,
    flags: IORING_SETUP_R_DISABLED | (submissionThread ? IORING_SETUP_SQPOLL : 0) | (polled ? IORING_SETUP_IOPOLL : 0),
    ...(submissionThread && { submissionIdle }),
  }
  const owned = createQuickIoUring(request, subject)
  let gone: GoneWatch | undefined
  try {
    gone = createGoneWatch(subject)
    const { descriptor } = owned.ring
    registerFiles(descriptor, [target, gone.token], subject)
    gone.handOver()
    const registered = options.registerBuffers && registerWindow(descriptor, options)
    // Not the ring itself is what a holder sleeps on: poll(2) does not see completions that wait for an enter (DEFER_TASKRUN).
    registerEventFd(descriptor, wake, subject)
    new IoUring(owned.ring).signalled = false
    return { owned, registered, gone }
  } catch (error) {
    gone?.close()
    owned.unmap()
    closeSync(owned.ring.descriptor)
    throw error
  }
}

function registerWindow(ring: number, { window, subject, warn }: QueueRingOptions): boolean {
  const { region, byteOffset, frameSize, frameCount } = window
  try {
    registerBuffers(ring, regionAddress(region) + byteOffset, frameSize * frameCount, subject)
    return true
  } catch (error) {
    if (!(error instanceof ParakernelError) || error.code !== 'ENOMEM') throw error
    warn?.(`${error.message}; goes on with buffers that are not registered, which are pinned at each command`)
    return false
  }
}
