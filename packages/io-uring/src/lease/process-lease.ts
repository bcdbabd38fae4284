import { closeSync, constants, openSync } from 'node:fs'
import {
  type BackendContext,
  BLOCK_COUNTERS,
  type BlockCapabilities,
  type BlockCounter,
  type BlockProcessLease,
  ClaimedCounters,
  ParakernelError,
  REGION_PAGE,
} from '@parakernel/hal'
import {
  createEventFd,
  createIoUring,
  createLoopDevice,
  createMemfdRegion,
  EAGAIN,
  ENXIO,
  enableIoUring,
  IORING_OP_FALLOCATE,
  IORING_OP_FSYNC,
  IORING_OP_READ,
  IORING_OP_READV,
  IORING_OP_WRITE,
  IORING_OP_WRITEV,
  IORING_SETUP_R_DISABLED,
  IORING_SETUP_SUBMIT_ALL,
  IOSQE_FIXED_FILE,
  IoUring,
  type IoUringParams,
  type LoopDevice,
  moveLoopDevice,
  registerEventFd,
  registerFiles,
  requireIoUring,
  restrictIoUring,
  systemError,
} from '@parakernel/linux'
import { DEFAULT_QUEUE_DEPTH } from '../options.ts'
import { openTarget } from '../target/open-target.ts'
import type { ZeroMethod } from '../transport.ts'

export interface ProcessLeaseOptions {
  /** A file, which is created when `size` says how long; or a block device. */
  readonly path: string
  /** Without a range: bytes of the file, which is the other process's alone. */
  readonly size?: number
  /** The part that the other process gets, in bytes, multiples of the block; enforced by a loop device of its own. */
  readonly range?: { readonly offset: number; readonly bytes: number }
  readonly blockSize?: number
  readonly queueDepth?: number
}

/**
 * What keeps another process within its blocks: the end of a loop device; or, of a file or device of its own, that it reaches no
 * other. A process can make a file of its own longer and fill the disk with it, which a loop device does not let it.
 */
export type LeaseEnforcement = 'loop-device' | 'file' | 'block-device'

/** What the other process needs to know besides its descriptors: plain data, also as JSON. */
export interface LeaseTicket {
  readonly name: string
  readonly enforcedBy: LeaseEnforcement
  readonly blocks: number
  readonly capabilities: BlockCapabilities
  readonly zeroMethod: ZeroMethod
  readonly params: IoUringParams
}

export interface RingLease extends BlockProcessLease {
  readonly ticket: LeaseTicket
  /**
   * The ring, its eventfd, and the memory of the holder's counters. None is the file's: a holder of a loop device's own descriptor
   * could move its range.
   */
  readonly descriptors: readonly [ring: number, wake: number, status: number]
}

/** What a ring of another process may do: transfers of the one file that is registered, and what makes them durable. */
const OPERATIONS = [
  IORING_OP_READ,
  IORING_OP_WRITE,
  IORING_OP_READV,
  IORING_OP_WRITEV,
  IORING_OP_FSYNC,
  IORING_OP_FALLOCATE,
]

/**
 * Makes the kernel object that a process may be given which is not trusted: a ring, restricted for ever to one registered file,
 * with no thread of the kernel and no registrations. A range of something larger stands behind a loop device.
 * @throws EPERM where that needs a right that this process lacks; what opening the backend throws
 */
export function createProcessLease(options: ProcessLeaseOptions, context: BackendContext): RingLease {
  requireIoUring(options.path)
  const loop = options.range === undefined ? undefined : createRange(options, options.range)
  try {
    return createRing(options, loop, context)
  } catch (error) {
    loop?.close()
    throw error
  }
}

function createRange(
  { path, size, blockSize }: ProcessLeaseOptions,
  { offset, bytes }: { readonly offset: number; readonly bytes: number },
): LoopDevice {
  if (size !== undefined || !Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(bytes) || bytes <= 0) {
    throw new ParakernelError('EINVAL', 'a range has an offset and a length in bytes, and no size besides', {
      subject: path,
      remedy: 'Correct range, and leave size out',
    })
  }
  try {
    return createLoopDevice({
      path,
      offset,
      sizeLimit: bytes,
      ...(blockSize && { blockSize: Math.min(blockSize, 4096) }),
    })
  } catch (cause) {
    if (!(cause instanceof ParakernelError) || (cause.code !== 'EPERM' && cause.code !== 'EACCES')) throw cause
    throw new ParakernelError(
      'EPERM',
      'nothing would keep another process within the range: no loop device can be made',
      {
        subject: path,
        remedy: `${cause.remedy ?? 'Run as root'}; or give the process a file of its own`,
        cause,
      },
    )
  }
}

function createRing(options: ProcessLeaseOptions, loop: LoopDevice | undefined, context: BackendContext): RingLease {
  const { path, size, blockSize, queueDepth = DEFAULT_QUEUE_DEPTH } = options
  const target = openTarget(
    {
      path: loop?.path ?? path,
      queueDepth,
      ...(size !== undefined && { size }),
      ...(blockSize !== undefined && { blockSize }),
    },
    context,
  )
  const open: number[] = [target.descriptor]
  try {
    const owned = createIoUring({ entries: queueDepth, flags: IORING_SETUP_R_DISABLED | IORING_SETUP_SUBMIT_ALL }, path)
    const { descriptor, rings: _rings, sqes: _sqes, descriptor: _descriptor, ...params } = owned.ring
    open.push(descriptor)
    const wake = createEventFd()
    open.push(wake)
    registerFiles(descriptor, [target.descriptor], path)
    registerEventFd(descriptor, wake, path)
    restrictIoUring(
      descriptor,
      { operations: OPERATIONS, allowedFlags: IOSQE_FIXED_FILE, requiredFlags: IOSQE_FIXED_FILE },
      path,
    )
    enableIoUring(descriptor, path)
    new IoUring(owned.ring).signalled = false
    owned.unmap()
    // The ring has it open, and keeps its lock.
    closeSync(target.descriptor)
    open.shift()
    const status = createMemfdRegion(REGION_PAGE, 'io-uring-status')
    open.push(status.fd)
    const enforcedBy = loop === undefined ? target.kind : 'loop-device'
    const claimed = new ClaimedCounters(new Float64Array(status.buffer, 0, BLOCK_COUNTERS.length))
    let silent = loop === undefined
    const revoke = () => {
      if (!silent && loop !== undefined) silenceLoopDevice(loop.path)
      silent = true
    }
    return {
      kind: 'block',
      // Where the opener is: built, all of the package is one module.
      module: import.meta.url.endsWith('.ts') ? new URL('../backend.ts', import.meta.url).href : import.meta.url,
      enforcedBy: `restricted-ring+${enforcedBy}`,
      ticket: {
        name: loop === undefined ? path : `${path} from ${options.range?.offset}`,
        enforcedBy,
        blocks: target.blocks,
        capabilities: target.capabilities,
        zeroMethod: target.zeroMethod,
        params,
      },
      descriptors: [descriptor, wake, status.fd],
      // A ring counts what it refuses nowhere: the errno is all there is.
      refused: () => ({}),
      statistics() {
        const values = claimed.refresh()
        return Object.fromEntries(BLOCK_COUNTERS.map((name, i) => [name, values[i]])) as Record<BlockCounter, number>
      },
      ...(loop !== undefined && { revoke }),
      close() {
        try {
          revoke()
        } finally {
          for (const one of open.splice(0)) closeSync(one)
          loop?.close()
        }
      },
    }
  } catch (error) {
    for (const one of open.splice(0)) closeSync(one)
    throw error
  }
}

/** Beyond the end of every file: nothing is left of the device. */
const NOWHERE = 2 ** 52
/** A loop device does not move while the kernel still has pages of it to write, which it then does. */
const MOVES = 10

function silenceLoopDevice(path: string): void {
  const device = openSync(path, constants.O_RDWR)
  try {
    let errno = EAGAIN
    for (let i = 0; i < MOVES && errno === EAGAIN; i++) errno = moveLoopDevice(device, NOWHERE, 0)
    // Somebody else detached it.
    if (errno !== 0 && errno !== ENXIO) throw systemError(errno, { call: 'ioctl(LOOP_SET_STATUS64)', subject: path })
  } finally {
    closeSync(device)
  }
}
