import { type FrameWindow, ParakernelError } from '@parakernel/hal'
import {
  calls,
  createQuickIoUring,
  foreign,
  IORING_OP_URING_CMD,
  IORING_SETUP_CQE32,
  IORING_SETUP_SQE128,
  IoUring,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  mmap,
  type OwnedIoUring,
  regionAddress,
  registerEventFd,
  supportedOperations,
} from '@parakernel/linux'
import { VECTOR_BYTES } from './constants.ts'
import { MAX_SEGMENTS } from './namespace.ts'

export interface LaneOptions {
  /** Of the namespace; it stays the device's, and so does `wake`, an eventfd. */
  readonly descriptor: number
  readonly window: FrameWindow
  readonly wake: number
  readonly depth: number
  readonly subject: string
}

/**
 * What one queue works with, made by the device and used by the holder: both are in one thread. The device ends it, and only when the
 * kernel has answered everything.
 */
export class Lane {
  readonly ring: IoUring
  readonly wake: number
  /** Address of the region that frames are in. */
  readonly regionAddress: number
  /** Memory of `MAX_SEGMENTS` vectors a slot, at an address that stays. */
  readonly vectorAddress: number
  readonly vectors: ArrayBuffer
  readonly descriptor: number
  /** Commands that the kernel has and has not answered. */
  outstanding = 0
  private readonly owned: OwnedIoUring
  private readonly vectorBytes: number

  /** @throws ENOSYS, EPERM without io_uring; ENOTSUP where its rings have no device commands; ENOMEM, EMFILE */
  constructor({ descriptor, window, wake, depth, subject }: LaneOptions) {
    this.descriptor = descriptor
    this.owned = createQuickIoUring({ entries: depth, flags: IORING_SETUP_SQE128 | IORING_SETUP_CQE32 }, subject)
    this.wake = wake
    this.vectorBytes = Math.ceil((depth * MAX_SEGMENTS * VECTOR_BYTES) / 4096) * 4096
    this.vectorAddress = mmap(0, this.vectorBytes, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, `${subject} vectors`)
    this.vectors = foreign().view(this.vectorAddress, this.vectorBytes)
    try {
      const { ring } = this.owned
      if (!supportedOperations(ring.descriptor, subject).has(IORING_OP_URING_CMD)) throw tooOld(subject)
      registerEventFd(ring.descriptor, this.wake, subject)
      this.ring = new IoUring(ring)
      this.ring.signalled = false
      this.regionAddress = regionAddress(window.region)
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** Once nothing is outstanding. */
  close(): void {
    this.owned.close()
    calls().munmap(this.vectorAddress, this.vectorBytes)
  }
}

function tooOld(subject: string): ParakernelError {
  return new ParakernelError('ENOTSUP', 'the kernel has no commands of devices in io_uring', {
    subject,
    remedy: 'Use Linux 5.19 or newer, or the io-uring backend on the block device',
  })
}
