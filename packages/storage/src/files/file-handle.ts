import { ParakernelError } from '@parakernel/hal'
import type { FileStatus } from '@parakernel/queue'
import { EBADF, EINVAL } from '../medium/errno.ts'
import { EFBIG } from './errno.ts'
import type { FileNode } from './io/file-node.ts'
import { type FileOperation, PUNCH, READ, SYNC, TRUNCATE, WRITE } from './io/operation.ts'
import type { VolumeFile } from './volume.ts'

/** What a handle needs of its volume. */
export interface HandleHost {
  readonly maxFileSize: number
  status(inode: number): FileStatus
  closed(handle: FileHandle): void
}

/** One opening of a file. */
export class FileHandle implements VolumeFile {
  readonly writable: boolean
  readonly node: FileNode
  closed = false
  readonly #host: HandleHost

  constructor(node: FileNode, writable: boolean, host: HandleHost) {
    this.node = node
    this.writable = writable
    this.#host = host
  }

  get inode(): number {
    return this.node.inode.number
  }

  get size(): number {
    return this.node.size
  }

  status(): FileStatus {
    if (this.closed) throw new ParakernelError('EBADF', 'the file is closed', { subject: `inode ${this.inode}` })
    return { ...this.#host.status(this.inode), size: this.node.size }
  }

  read(operation: FileOperation): void {
    this.#submit(operation, READ, this.closed ? EBADF : rangeDefect(operation.position, operation.length))
  }

  write(operation: FileOperation): void {
    const { position, length } = operation
    const end = position + length
    const errno = this.#changeDefect(position, length) || (end > this.#host.maxFileSize ? EFBIG : 0)
    if (errno === 0 && length > 0 && end > this.node.size) this.node.size = end
    this.#submit(operation, WRITE, errno)
  }

  truncate(operation: FileOperation): void {
    const { position } = operation
    const errno = this.#changeDefect(position, 0) || (position > this.#host.maxFileSize ? EFBIG : 0)
    if (errno === 0) this.node.size = position
    this.#submit(operation, TRUNCATE, errno)
  }

  punchHole(operation: FileOperation): void {
    this.#submit(operation, PUNCH, this.#changeDefect(operation.position, operation.length))
  }

  sync(operation: FileOperation): void {
    this.#submit(operation, SYNC, this.closed ? EBADF : 0)
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.#host.closed(this)
  }

  #changeDefect(position: number, length: number): number {
    return this.closed || !this.writable ? EBADF : rangeDefect(position, length)
  }

  #submit(operation: FileOperation, kind: number, errno: number): void {
    if (errno === 0) {
      this.node.submit(operation, kind)
      return
    }
    operation.status = -errno
    operation.transferred = 0
    operation.done(operation)
  }
}

function rangeDefect(position: number, length: number): number {
  return Number.isSafeInteger(position) && Number.isSafeInteger(length) && position >= 0 && length >= 0 ? 0 : EINVAL
}
