import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import { decodeHeader, HEADER_BYTES, type ImageHeader } from '@parakernel/storage'

export interface ImageFile {
  /** Bytes; 0 for a block device. */
  readonly size: number
  readonly isDevice: boolean
  /** What the first block says, if it is one of an image. */
  readonly header: ImageHeader | undefined
}

/** Looks at the file under an image; undefined when there is none. @throws ENOTSUP for what cannot hold one, EACCES, or what open(2) says */
export function lookAtImage(path: string): ImageFile | undefined {
  const stats = orRefusal(path, () => statSync(path, { throwIfNoEntry: false }))
  if (stats === undefined) return undefined
  const isDevice = stats.isBlockDevice()
  if (!stats.isFile() && !isDevice) {
    const [code, what] = stats.isDirectory()
      ? (['EISDIR', 'a directory'] as const)
      : (['ENOTSUP', 'neither a file nor a block device'] as const)
    throw new ParakernelError(code, `is ${what}`, {
      subject: `image ${path}`,
      remedy: 'Name a file or a block device',
    })
  }
  const bytes = new Uint8Array(HEADER_BYTES)
  const fd = orRefusal(path, () => openSync(path, 'r'))
  try {
    const length = readSync(fd, bytes, 0, bytes.length, 0)
    const header = decodeHeader(bytes.subarray(0, length))
    return { size: stats.size, isDevice, header: typeof header === 'string' ? undefined : header }
  } finally {
    closeSync(fd)
  }
}

/** What the system refuses, as an error that names the image and what to do. */
function orRefusal<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (cause) {
    const { code = 'EIO', message } = cause as NodeJS.ErrnoException
    throw new ParakernelError(code as ErrorCode, `cannot be opened: ${message}`, {
      subject: `image ${path}`,
      remedy:
        code === 'EACCES' || code === 'EPERM'
          ? 'Give this user the right to read and write it, or choose another path'
          : 'Correct the path',
      cause,
    })
  }
}
