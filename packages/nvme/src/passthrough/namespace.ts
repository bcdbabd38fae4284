import { closeSync, constants, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import {
  BLOCK_COMPARE,
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  type BlockCapabilities,
  ParakernelError,
} from '@parakernel/hal'
import { blockDeviceUse, EACCES, EBUSY, ENOENT, EPERM, systemError } from '@parakernel/linux'
import { type Identified, identifyThrough } from './identify.ts'

/** Segments of one command: the kernel pins their pages, or copies them where they are not whole pages. */
export const MAX_SEGMENTS = 64
const PAGE = 4096
/** Where sysfs does not tell. */
const CAUTIOUS_TRANSFER = 128 << 10

/** An open namespace, which nobody else uses. */
export interface OpenNamespace {
  readonly path: string
  readonly descriptor: number
  /** Holds the block device against mounting, or -1 where there is none. */
  readonly guard: number
  readonly number: number
  readonly blocks: number
  readonly capabilities: BlockCapabilities
}

/**
 * Opens a namespace for passthrough. Its block device is held exclusively meanwhile: no file system can be mounted under our feet.
 * @throws ENOENT, EINVAL, ENODEV for what is no such device; EBUSY when it is mounted or otherwise in use; ENOTSUP for metadata, protection
 * information and zones; EACCES, EPERM
 */
export function openNamespace(path: string, queueDepth: number): OpenNamespace {
  requireCharacterDevice(path)
  const block = basename(path).replace(/^ng/, 'nvme')
  const guard = openGuard(path, block)
  let descriptor = -1
  try {
    descriptor = open(path, constants.O_RDWR)
    const identified = identifyThrough(descriptor, path)
    const capabilities = capabilitiesOf(identified, transferLimit(block), queueDepth)
    refuseFormats(identified, path)
    const { namespace: number, blocks } = identified.namespace
    return { path, descriptor, guard, number, blocks, capabilities }
  } catch (error) {
    if (descriptor >= 0) closeSync(descriptor)
    if (guard >= 0) closeSync(guard)
    throw error
  }
}

function capabilitiesOf({ controller, namespace }: Identified, limit: number, queueDepth: number): BlockCapabilities {
  const { blockSize, atomicUnitPowerFail, atomicBoundaryPowerFail, atomicOffset } = namespace
  const transfer = controller.maxTransfer === 0 ? limit : Math.min(limit, controller.maxTransfer)
  const { compare, deallocate, writeZeroes } = controller.commands
  return {
    blockSize,
    memoryAlignment: 4,
    maxSegments: MAX_SEGMENTS,
    segmentPage: 0,
    // A 16-bit count, 0-based.
    maxTransfer: Math.min(65_536, Math.floor(transfer / blockSize)),
    // Boundaries that do not begin at block 0 cannot be told to the holder.
    atomicUnit: atomicOffset === 0 ? atomicUnitPowerFail : 1,
    atomicBoundary: atomicOffset === 0 ? atomicBoundaryPowerFail : 0,
    volatileCache: controller.volatileCache,
    persistence: 'media',
    opcodes:
      (1 << BLOCK_READ) |
      (1 << BLOCK_WRITE) |
      (1 << BLOCK_FLUSH) |
      (writeZeroes ? 1 << BLOCK_WRITE_ZEROES : 0) |
      (deallocate ? 1 << BLOCK_DEALLOCATE : 0) |
      (compare ? 1 << BLOCK_COMPARE : 0),
    queueDepth,
    attach: 'thread',
    regions: ['plain', 'memfd'],
  }
}

function refuseFormats({ namespace }: Identified, path: string): void {
  const { metadata, protection, commandSet, readOnly } = namespace
  const reason =
    commandSet !== 0
      ? `has the command set ${commandSet === 2 ? 'of zones' : commandSet}`
      : metadata > 0
        ? `has ${metadata} bytes of metadata a block`
        : protection
          ? 'has protection information'
          : undefined
  if (reason !== undefined) {
    throw new ParakernelError('ENOTSUP', `the namespace ${reason}`, {
      subject: path,
      remedy: 'Format it with plain blocks (nvme format), or take another namespace',
    })
  }
  if (readOnly) {
    throw new ParakernelError('EROFS', 'the namespace is write protected', {
      subject: path,
      remedy: 'Take another namespace',
    })
  }
}

/** Bytes that one command of the kernel's driver may move when no two pages of it touch. */
function transferLimit(block: string): number {
  const read = (name: string) => {
    try {
      return Number(readFileSync(`/sys/class/block/${block}/queue/${name}`, 'latin1'))
    } catch {
      return 0
    }
  }
  const bytes = read('max_hw_sectors_kb') * 1024
  const pages = read('max_segments')
  return bytes > 0 && pages > 1 ? Math.min(bytes, (pages - 1) * PAGE) : CAUTIOUS_TRANSFER
}

function requireCharacterDevice(path: string): void {
  const status = statSync(path, { throwIfNoEntry: false })
  if (status?.isCharacterDevice()) return
  const known = readdirSync('/dev').filter((name) => /^ng\d+n\d+$/.test(name))
  const remedy =
    known.length === 0
      ? 'This machine has no /dev/ng devices'
      : `There are ${known.map((name) => `/dev/${name}`).join(', ')}`
  if (status === undefined) throw new ParakernelError('ENOENT', 'there is no such device', { subject: path, remedy })
  throw new ParakernelError('EINVAL', 'is no character device', {
    subject: path,
    remedy: status.isBlockDevice() ? `${remedy}. For a block device use the io-uring backend` : remedy,
  })
}

function openGuard(path: string, block: string): number {
  const device = `/dev/${block}`
  const status = statSync(device, { throwIfNoEntry: false })
  if (status === undefined || !status.isBlockDevice()) return -1
  const use = blockDeviceUse(status.rdev)
  if (use === undefined) return open(device, constants.O_RDWR | constants.O_EXCL, path)
  throw inUse(path, `its block device is ${use}`)
}

function inUse(subject: string, reason: string): ParakernelError {
  return new ParakernelError('EBUSY', reason, {
    subject,
    remedy: 'Unmount it, or end what uses it; nothing was written. Or choose another namespace',
  })
}

function open(path: string, flags: number, subject = path): number {
  try {
    return openSync(path, flags)
  } catch (cause) {
    const errno = -((cause as { errno?: number }).errno ?? -5)
    if (errno === EBUSY) throw inUse(subject, 'the kernel or another process has its block device open')
    const denied = errno === EACCES || errno === EPERM
    throw systemError(errno, {
      call: `open ${path}`,
      subject,
      cause,
      ...(denied ? { remedy: `Run as root, or give the user read and write access to ${path}` } : {}),
      ...(errno === ENOENT ? { remedy: 'The device has gone: look for it in /dev' } : {}),
    })
  }
}
