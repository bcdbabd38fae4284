import { systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

const AT_EMPTY_PATH = 0x1000
const STATX_DIOALIGN = 0x2000
const STATX_BYTES = 256

/** What direct I/O on an open file asks for, in bytes. */
export interface DirectAlignment {
  readonly memory: number
  /** Of offsets and lengths. */
  readonly offset: number
}

/**
 * statx(2) of an open descriptor: undefined where the kernel (before 6.1) or the file system does not tell, `memory` 0 where it
 * tells that it has no direct I/O.
 */
export function directAlignment(descriptor: number, subject: string): DirectAlignment | undefined {
  const bytes = new Uint8Array(STATX_BYTES)
  if (calls().statx(descriptor, '', AT_EMPTY_PATH, STATX_DIOALIGN, bytes) < 0) {
    throw systemError(foreign().errno(), { call: 'statx', subject })
  }
  const view = new DataView(bytes.buffer)
  if ((view.getUint32(0, true) & STATX_DIOALIGN) === 0) return undefined
  return { memory: view.getUint32(0x98, true), offset: view.getUint32(0x9c, true) }
}
