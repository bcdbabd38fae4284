import { closeSync, constants, fstatSync, ftruncateSync, openSync, type Stats, statSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { type BackendContext, ParakernelError } from '@parakernel/hal'
import {
  blockDeviceUse,
  blockGeometry,
  type DirectAlignment,
  directAlignment,
  EACCES,
  EBUSY,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  EPERM,
  isInMemory,
  preallocate,
  systemError,
} from '@parakernel/linux'
import type { IoUringOptions } from '../options.ts'
import { capabilitiesOf } from './capabilities.ts'
import { lockTarget, patiently } from './lock-target.ts'
import type { Target } from './target.ts'

/** ETXTBSY, EROFS: a swap file or a running program; a medium that is read only. */
const ETXTBSY = 26
const EROFS = 30

/**
 * Opens what a device shall stand on, checks it and locks it. Nothing is written to what existed before; a file that this call
 * created and cannot use is removed again.
 */
export function openTarget(options: IoUringOptions, context: BackendContext): Target {
  const { path } = options
  const before = statOf(path)
  if (before === undefined) return createFile(options, context)
  if (before.isBlockDevice())
    return withDescriptor(openBlockDevice(options), (fd) => useBlockDevice(fd, options, context))
  if (!before.isFile()) throw notAFile(before, path)
  const opened = openFile(options, 0, context)
  return withDescriptor(opened.descriptor, (fd) => {
    lockTarget(fd, path)
    const bytes = fstatSync(fd).size
    const size = existingSize(bytes, options)
    const target = useFile(fd, size, opened.direct, options, context)
    if (bytes === 0) giveBlocks(fd, size, path, context)
    return target
  })
}

function createFile(options: IoUringOptions, context: BackendContext): Target {
  const { path, size } = options
  if (size === undefined) {
    throw new ParakernelError('ENOENT', 'there is no such file', {
      subject: path,
      remedy: 'Set size, in bytes, to create it, or correct the path',
    })
  }
  // O_EXCL: of two processes that create it at the same time one finds it there.
  const opened = openFile(options, constants.O_CREAT | constants.O_EXCL, context)
  try {
    return withDescriptor(opened.descriptor, (fd) => {
      lockTarget(fd, path)
      const target = useFile(fd, size, opened.direct, options, context)
      giveBlocks(fd, size, path, context)
      return target
    })
  } catch (error) {
    unlinkSync(path)
    throw error
  }
}

/** The size that a file has, or, when it is empty and so as good as new, shall have. */
function existingSize(bytes: number, { path, size }: IoUringOptions): number {
  if (bytes === 0 && size !== undefined) return size
  if (bytes === 0) {
    throw new ParakernelError('EINVAL', 'the file is empty', { subject: path, remedy: 'Set size, in bytes' })
  }
  if (size !== undefined && bytes !== size) {
    throw new ParakernelError('EINVAL', `the file has ${bytes} bytes, size says ${size}`, {
      subject: path,
      remedy:
        bytes < size
          ? 'The image is truncated: restore it, or leave size out to use what is there'
          : 'Leave size out, or correct it',
    })
  }
  return bytes
}

function giveBlocks(fd: number, size: number, path: string, { warn }: BackendContext): void {
  if (preallocate(fd, size, path)) return
  ftruncateSync(fd, size)
  warn?.(`${path}: its file system cannot reserve blocks: a write may fail with ENOSPC`)
}

function useFile(fd: number, size: number, direct: boolean, options: IoUringOptions, context: BackendContext): Target {
  return capabilitiesOf(
    {
      path: options.path,
      kind: 'file',
      descriptor: fd,
      bytes: size,
      device: fstatSync(fd).dev,
      alignment: directness(fd, direct, options, context),
    },
    options,
    context,
  )
}

/** How direct I/O must be aligned. Kernels before 6.1 do not tell: whole pages always do. */
function directness(
  fd: number,
  direct: boolean,
  options: IoUringOptions,
  context: BackendContext,
): DirectAlignment | undefined {
  const { path } = options
  // In memory nothing is transferred: any alignment does.
  if (!direct || isInMemory(path)) return undefined
  const found = directAlignment(fd, path) ?? { memory: 4096, offset: 4096 }
  if (found.offset > 0) return found
  // Opened as asked for, but this file goes through the page cache all the same (encrypted, journaled data).
  notDirect(options, context)
  return undefined
}

/** @throws ENOTSUP where direct I/O is demanded */
function notDirect({ path, direct }: IoUringOptions, { warn }: BackendContext): void {
  if (direct === 'always') {
    throw new ParakernelError('ENOTSUP', 'its file system has no direct I/O', {
      subject: path,
      remedy: "Set direct to 'auto', or put the file on a file system that has it",
    })
  }
  warn?.(`${path}: its file system has no direct I/O: what is written goes through the page cache`)
}

function openFile(
  options: IoUringOptions,
  flags: number,
  context: BackendContext,
): { descriptor: number; direct: boolean } {
  const { path, direct = 'auto' } = options
  // Without O_NONBLOCK the kernel hands every command on tmpfs to a thread of its own, though none can block there.
  const inMemory = isInMemory(dirname(path))
  const wanted = constants.O_RDWR | flags | (inMemory ? constants.O_NONBLOCK : 0)
  if (direct === 'never') return { descriptor: open(path, wanted), direct: false }
  try {
    return { descriptor: open(path, wanted | constants.O_DIRECT), direct: true }
  } catch (error) {
    const { cause } = error as { cause?: { errno?: number } }
    const errno = -(cause?.errno ?? 0)
    if (errno !== EINVAL && errno !== EOPNOTSUPP) throw error
    // The kernel creates a file before it looks at O_DIRECT.
    if (direct === 'always' && (flags & constants.O_CREAT) !== 0) unlinkSync(path)
    notDirect(options, context)
    return { descriptor: open(path, wanted & ~constants.O_EXCL), direct: false }
  }
}

function openBlockDevice({ path, direct = 'auto', size }: IoUringOptions): number {
  if (size !== undefined) {
    throw new ParakernelError('EINVAL', 'a block device has its own size', { subject: path, remedy: 'Leave size out' })
  }
  const flags = constants.O_RDWR | constants.O_EXCL | (direct === 'never' ? 0 : constants.O_DIRECT)
  const { rdev } = statSync(path)
  // A process that was killed has it until its last command is through.
  const descriptor = patiently(() => {
    const use = blockDeviceUse(rdev)
    if (use !== undefined) throw inUse(path, use)
    try {
      return open(path, flags)
    } catch (error) {
      if (-((error as { cause?: { errno?: number } }).cause?.errno ?? 0) === EBUSY) return undefined
      throw error
    }
  })
  if (descriptor === undefined) throw inUse(path, 'open in another process, or in use by the kernel')
  return descriptor
}

function inUse(path: string, use: string): ParakernelError {
  return new ParakernelError('EBUSY', `the device is in use: ${use}`, {
    subject: path,
    remedy: 'Unmount it, or end what uses it; nothing was written. Or choose another device',
  })
}

function useBlockDevice(fd: number, options: IoUringOptions, context: BackendContext): Target {
  const { path, direct = 'auto' } = options
  lockTarget(fd, path)
  const geometry = blockGeometry(fd, path)
  if (geometry.bytes === 0) {
    throw new ParakernelError('ENXIO', 'the device has no medium, or a loop device no file', {
      subject: path,
      remedy: 'Insert a medium, or set the loop device up',
    })
  }
  if (geometry.readOnly) throw readOnly(path)
  const found = direct === 'never' ? undefined : directAlignment(fd, path)
  const alignment =
    direct === 'never' ? undefined : { memory: geometry.logicalBlock, ...found, offset: geometry.logicalBlock }
  return capabilitiesOf(
    { path, kind: 'block-device', descriptor: fd, bytes: geometry.bytes, device: fstatSync(fd).rdev, alignment },
    options,
    context,
  )
}

function withDescriptor<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd)
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch (cause) {
    const errno = -((cause as { errno?: number }).errno ?? -5)
    if (errno === ENOENT) return undefined
    throw openError(errno, path, cause)
  }
}

function open(path: string, flags: number): number {
  try {
    return openSync(path, flags, 0o600)
  } catch (cause) {
    throw openError(-((cause as { errno?: number }).errno ?? -5), path, cause)
  }
}

function openError(errno: number, path: string, cause: unknown): ParakernelError {
  const advice: Record<number, string> = {
    [EACCES]: `Give this user the right to read and write it, or choose another path`,
    [EPERM]: 'Give this user the right to read and write it, or choose another path',
    [ENOENT]: 'Create the directory first, or correct the path',
  }
  const remedy = advice[errno] ?? 'Correct the path'
  if (errno === EROFS) return readOnly(path, cause)
  if (errno === ETXTBSY) {
    return new ParakernelError('EBUSY', 'the kernel uses the file', {
      subject: path,
      remedy: 'It is a swap file or a running program: choose another',
      cause,
    })
  }
  return systemError(errno, { call: 'open', subject: path, cause, remedy })
}

function readOnly(path: string, cause?: unknown): ParakernelError {
  return new ParakernelError('EROFS', 'it can only be read', {
    subject: path,
    remedy: 'Choose a file or device that can be written',
    cause,
  })
}

function notAFile(status: Stats, path: string): ParakernelError {
  if (status.isDirectory()) {
    return new ParakernelError('EISDIR', 'it is a directory', { subject: path, remedy: 'Name a file in it' })
  }
  const kind = status.isCharacterDevice() ? 'a character device' : 'a pipe or a socket'
  return new ParakernelError('ENOTSUP', `it is ${kind}, which has no blocks`, {
    subject: path,
    remedy: 'Name a file or a block device',
  })
}
