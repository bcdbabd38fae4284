import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import type { StableSink } from './write-cache.ts'

/**
 * The file that a disk's stable content lies in. Descriptors are the process's, so that a queue in any thread writes by the one
 * that the control thread opened.
 */
export class ImageFile implements StableSink {
  readonly fd: number
  readonly #media: Uint8Array
  readonly #blockSize: number
  /** A write failed: what the file holds is unknown, and nothing is promised any more. */
  #broken = false

  constructor(fd: number, media: Uint8Array, blockSize: number) {
    this.fd = fd
    this.#media = media
    this.#blockSize = blockSize
  }

  /** Opens the file, or makes it, and loads it. @throws ENOTSUP for what is no file, EINVAL when it has another size, EACCES, EIO */
  static open(path: string, media: Uint8Array, blockSize: number): ImageFile {
    const fd = openImage(path)
    try {
      const stats = fstatSync(fd)
      // A device has size 0, too, and may be mounted: not a byte of it is touched.
      if (!stats.isFile()) throw noFile(path)
      const { size } = stats
      if (size === 0) {
        // A hole as long as the disk: the next open finds the size.
        writeSync(fd, new Uint8Array(1), 0, 1, media.byteLength - 1)
      } else if (size !== media.byteLength) {
        throw new ParakernelError('EINVAL', `has ${size} bytes, not the ${media.byteLength} of the disk`, {
          subject: path,
          remedy: 'Leave `size` out, or give the one that it was made with; it may be truncated',
        })
      } else load(fd, media, path)
      return new ImageFile(fd, media, blockSize)
    } catch (error) {
      closeSync(fd)
      throw error instanceof ParakernelError ? error : unusable(path, error)
    }
  }

  write(firstBlock: number, blocks: number): boolean {
    if (this.#broken) return false
    const end = (firstBlock + blocks) * this.#blockSize
    try {
      for (let at = firstBlock * this.#blockSize; at < end; ) at += writeSync(this.fd, this.#media, at, end - at, at)
      return true
    } catch {
      this.#broken = true
      return false
    }
  }

  /** False when the host could not keep what was written. */
  close(): boolean {
    try {
      fsyncSync(this.fd)
      closeSync(this.fd)
      return !this.#broken
    } catch {
      return false
    }
  }
}

function openImage(path: string): number {
  try {
    return openSync(path, 'r+')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EISDIR') {
      throw new ParakernelError('EISDIR', 'is a directory', { subject: path, remedy: 'Name a file in it' })
    }
    if (code !== 'ENOENT') throw unusable(path, error)
  }
  try {
    return openSync(path, 'wx+', 0o600)
  } catch (error) {
    throw unusable(path, error)
  }
}

function load(fd: number, media: Uint8Array, path: string): void {
  for (let at = 0; at < media.byteLength; ) {
    const count = readSync(fd, media, at, Math.min(media.byteLength - at, 1 << 26), at)
    if (count === 0) throw new ParakernelError('EIO', `ended at byte ${at} while it was read`, { subject: path })
    at += count
  }
}

function noFile(path: string): ParakernelError {
  return new ParakernelError('ENOTSUP', 'is no regular file, so it cannot be loaded into memory', {
    subject: path,
    remedy: 'Name a regular file; for a block device take the io-uring backend',
  })
}

function unusable(path: string, cause: unknown): ParakernelError {
  const { code, message } = cause as NodeJS.ErrnoException
  return new ParakernelError(code === 'EACCES' || code === 'EPERM' ? 'EACCES' : 'EIO', `cannot be used: ${message}`, {
    subject: path,
    remedy: 'Choose a place where this process may read and write files',
    cause,
  })
}
