import { closeSync, constants, openSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { EACCES, EBUSY, EINVAL, ENXIO, EPERM, systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

/** linux/loop.h. */
const LOOP_CLR_FD = 0x4c01
const LOOP_SET_STATUS64 = 0x4c04
const LOOP_CONFIGURE = 0x4c0a
const LOOP_CTL_GET_FREE = 0x4c82
const LO_FLAGS_READ_ONLY = 1
const LO_FLAGS_PARTSCAN = 8
const LO_FLAGS_DIRECT_IO = 16
const CONFIG_BYTES = 304
/** `struct loop_info64` within `struct loop_config`. */
const INFO = 8
const INFO_BYTES = 232
const ATTEMPTS = 32

export interface LoopDeviceOptions {
  /** File or block device that it stands on. */
  readonly path: string
  /** First byte of the range, and its length: multiples of 512. */
  readonly offset?: number
  readonly sizeLimit?: number
  readonly blockSize?: number
  readonly readOnly?: boolean
  /** The file is read and written past the page cache, where it can be. Default true. */
  readonly direct?: boolean
  /** The kernel looks for a partition table on it. Default false. */
  readonly partitions?: boolean
}

export interface LoopDevice {
  /** `/dev/loop7`. */
  readonly path: string
  /** Ends it as soon as nobody has it open. Idempotent. */
  close(): void
}

/**
 * Makes a block device of a range of a file: who has it reaches those bytes and no others. Mind that a holder of a descriptor
 * that may write can also move the range (LOOP_SET_STATUS64 asks for no more): give such a descriptor to a registered file of
 * a restricted ring, and not to a process that is to be kept in.
 * @throws EPERM, EACCES without access to /dev/loop-control and the loop devices; ENOENT; EINVAL for a range that does not fit
 */
export function createLoopDevice(options: LoopDeviceOptions): LoopDevice {
  const {
    path,
    offset = 0,
    sizeLimit = 0,
    blockSize = 512,
    readOnly = false,
    direct = true,
    partitions = false,
  } = options
  if (offset % 512 !== 0 || sizeLimit % 512 !== 0) {
    throw new ParakernelError('EINVAL', `offset ${offset} and size ${sizeLimit} are not multiples of 512`, {
      subject: `loop device on ${path}`,
    })
  }
  const file = openFile(path, readOnly ? constants.O_RDONLY : constants.O_RDWR, `loop device on ${path}`)
  const control = openOrClose(file, '/dev/loop-control')
  try {
    const config = new DataView(new ArrayBuffer(CONFIG_BYTES))
    config.setUint32(0, file, true)
    config.setUint32(4, blockSize, true)
    writeRange(config, INFO, offset, sizeLimit)
    const flags =
      (readOnly ? LO_FLAGS_READ_ONLY : 0) | (direct ? LO_FLAGS_DIRECT_IO : 0) | (partitions ? LO_FLAGS_PARTSCAN : 0)
    config.setUint32(INFO + 52, flags, true)
    new TextEncoder().encodeInto(path, new Uint8Array(config.buffer, INFO + 56, 63))
    return configureFree(control, config, path)
  } finally {
    closeSync(control)
    closeSync(file)
  }
}

/** What a loop device's range is changed to by whoever may write to it. Returns 0 or an errno. */
export function moveLoopDevice(descriptor: number, offset: number, sizeLimit: number): number {
  const info = new DataView(new ArrayBuffer(INFO_BYTES))
  writeRange(info, 0, offset, sizeLimit)
  return calls().ioctl(descriptor, LOOP_SET_STATUS64, info) < 0 ? foreign().errno() : 0
}

function writeRange(view: DataView, at: number, offset: number, sizeLimit: number): void {
  view.setBigUint64(at + 24, BigInt(offset), true)
  view.setBigUint64(at + 32, BigInt(sizeLimit), true)
}

/** Another process may take the free number first, or the device may still be letting go of an earlier file. */
function configureFree(control: number, config: DataView, path: string): LoopDevice {
  const subject = `loop device on ${path}`
  for (let attempt = 1; ; attempt++) {
    const number = calls().ioctl(control, LOOP_CTL_GET_FREE, null)
    if (number < 0) throw loopError(foreign().errno(), 'LOOP_CTL_GET_FREE', subject)
    const device = `/dev/loop${number}`
    const descriptor = openFile(device, constants.O_RDWR, subject)
    const failed = calls().ioctl(descriptor, LOOP_CONFIGURE, config) < 0 ? foreign().errno() : 0
    closeSync(descriptor)
    if (failed === 0) return { path: device, close: closeOnce(device) }
    if (failed !== EBUSY || attempt === ATTEMPTS) throw loopError(failed, 'LOOP_CONFIGURE', subject)
  }
}

function closeOnce(device: string): () => void {
  let open = true
  return () => {
    if (!open) return
    open = false
    const descriptor = openFile(device, constants.O_RDWR, device)
    const failed = calls().ioctl(descriptor, LOOP_CLR_FD, null) < 0 ? foreign().errno() : 0
    closeSync(descriptor)
    // Somebody else detached it.
    if (failed !== 0 && failed !== ENXIO) throw loopError(failed, 'LOOP_CLR_FD', device)
  }
}

function openOrClose(file: number, path: string): number {
  try {
    return openFile(path, constants.O_RDWR, path)
  } catch (error) {
    closeSync(file)
    throw error
  }
}

function openFile(path: string, flags: number, subject: string): number {
  try {
    return openSync(path, flags)
  } catch (cause) {
    throw loopError(-((cause as { errno?: number }).errno ?? -5), `open(${path})`, subject)
  }
}

function loopError(errno: number, call: string, subject: string): ParakernelError {
  const remedy =
    errno === EPERM || errno === EACCES
      ? 'Run as root, or give this user the right to write to /dev/loop-control and /dev/loop*'
      : errno === EINVAL
        ? 'Choose a block size that is a power of two of 512 to 4096, and a range within the file'
        : undefined
  return systemError(errno, { call, subject, ...(remedy !== undefined && { remedy }) })
}
