import {
  type BackendContext,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type BlockCapabilities,
  ParakernelError,
} from '@parakernel/hal'
import { type DirectAlignment, diskOf, isInMemory, mountedDisk, reachesMedia } from '@parakernel/linux'
import { DEFAULT_QUEUE_DEPTH, type IoUringOptions } from '../options.ts'
import type { Target } from './target.ts'

/** Vectors of one command; the kernel takes 1024. */
export const MAX_SEGMENTS = 64
/** Longest transfer of one command; the kernel splits it as the disk asks. */
const MAX_TRANSFER_BYTES = 4 << 20
const MEMORY_BLOCK = 4096

interface Opened {
  readonly path: string
  readonly kind: 'file' | 'block-device'
  readonly descriptor: number
  readonly bytes: number
  /** `dev_t` of the block device, or of the file system that the file is on. */
  readonly device: number
  /** Undefined: through the page cache. */
  readonly alignment: DirectAlignment | undefined
}

/** What an open target can, read from it and from the disk beneath. Throws EINVAL for a block size that does not fit, ENOTSUP for
 * completions that cannot be polled for. */
export function capabilitiesOf(opened: Opened, options: IoUringOptions, { warn }: BackendContext): Target {
  const { path, kind, descriptor, bytes, alignment } = opened
  const disk = diskOf(opened.device) ?? (kind === 'file' ? mountedDisk(opened.device) : undefined)
  const inMemory = kind === 'file' && isInMemory(path)
  const physicalBlock = inMemory ? MEMORY_BLOCK : (disk?.physicalBlock ?? MEMORY_BLOCK)
  const unit = alignment?.offset ?? 1
  const blockSize = options.blockSize ?? Math.max(physicalBlock, unit, 512)
  checkBlockSize(blockSize, bytes, unit, options)
  if (!inMemory && blockSize > physicalBlock) {
    warn?.(
      `${path}: a block of ${blockSize} bytes may be torn by a power cut: the disk writes ${physicalBlock} at once`,
    )
  }
  if (options.polledCompletions && disk?.polled !== true) {
    throw new ParakernelError('ENOTSUP', 'the disk has no polled queues', {
      subject: path,
      remedy: 'Set polledCompletions to false, or give its driver some (nvme.poll_queues=2 on the kernel command line)',
    })
  }
  const deallocates = kind === 'file' || disk?.discards === true
  const capabilities: BlockCapabilities = {
    blockSize,
    memoryAlignment: alignment === undefined ? 1 : Math.max(alignment.memory, alignment.offset),
    maxSegments: MAX_SEGMENTS,
    segmentPage: 0,
    maxTransfer: Math.max(1, Math.floor(MAX_TRANSFER_BYTES / blockSize)),
    // More would be promised only to writes that ask for it (RWF_ATOMIC), which few disks know.
    atomicUnit: 1,
    atomicBoundary: 0,
    // Of a file, what was written past the cache may still be found only through metadata that is not.
    volatileCache: !inMemory && (kind === 'file' || alignment === undefined || disk?.volatileCache !== false),
    persistence: reachesMedia(path) ? 'media' : 'process-crash',
    opcodes:
      (1 << BLOCK_READ) |
      (1 << BLOCK_WRITE) |
      (1 << BLOCK_FLUSH) |
      (1 << BLOCK_WRITE_ZEROES) |
      (deallocates ? 1 << BLOCK_DEALLOCATE : 0),
    queueDepth: options.queueDepth ?? DEFAULT_QUEUE_DEPTH,
    attach: 'worker',
    regions: ['plain', 'memfd'],
  }
  return {
    path,
    kind,
    descriptor,
    blocks: Math.floor(bytes / blockSize),
    zeroMethod: inMemory ? 'punch-hole' : 'zero-range',
    deallocateMethod: kind === 'file' ? 'punch-hole' : 'discard',
    capabilities,
  }
}

function checkBlockSize(blockSize: number, bytes: number, unit: number, { path, size }: IoUringOptions): void {
  if (blockSize < 512 || blockSize > 65_536 || (blockSize & (blockSize - 1)) !== 0) {
    throw new ParakernelError('EINVAL', `block size ${blockSize} is not a power of two from 512 to 65536`, {
      subject: path,
      remedy: 'Correct blockSize',
    })
  }
  if (blockSize % unit !== 0) {
    throw new ParakernelError('EINVAL', `direct I/O transfers multiples of ${unit} bytes, a block has ${blockSize}`, {
      subject: path,
      remedy: `Set blockSize to ${unit} or more, or direct to 'never'`,
    })
  }
  if (bytes < blockSize || bytes % blockSize !== 0) {
    throw new ParakernelError('EINVAL', `${bytes} bytes are not a whole number of blocks of ${blockSize}`, {
      subject: path,
      remedy:
        size === undefined
          ? 'The image may be truncated: restore it, or correct blockSize'
          : `Choose a size that is a multiple of ${blockSize}, or correct blockSize`,
    })
  }
}
