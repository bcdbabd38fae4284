import { ParakernelError } from '@parakernel/hal'
import { EINVAL, systemError, systemErrorClosing } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { type Mapping, mapDescriptor } from '../memory/mmap.ts'
import { ioUringRefused } from './availability.ts'
import {
  IORING_FEAT_NODROP,
  IORING_FEAT_SINGLE_MMAP,
  IORING_OFF_SQ_RING,
  IORING_OFF_SQES,
  IORING_SETUP_COOP_TASKRUN,
  IORING_SETUP_CQE32,
  IORING_SETUP_CQSIZE,
  IORING_SETUP_DEFER_TASKRUN,
  IORING_SETUP_SINGLE_ISSUER,
  IORING_SETUP_SQE128,
  IORING_SETUP_SUBMIT_ALL,
  IORING_SETUP_TASKRUN_FLAG,
} from './constants.ts'
import { decodeParams, encodeParams, type IoUringParams, type IoUringRequest } from './params.ts'

export interface MappedRange {
  readonly address: number
  readonly length: number
}

/**
 * A ring and where it is mapped: plain clonable data, good in every thread of the process that mapped it. `IoUring` is what
 * a thread uses it through.
 */
export interface MappedIoUring extends IoUringParams {
  readonly descriptor: number
  /** Both rings' words, the index array and the completions. */
  readonly rings: MappedRange
  /** The submission entries. */
  readonly sqes: MappedRange
}

/** A ring with the right to let go of it. */
export interface OwnedIoUring {
  readonly ring: MappedIoUring
  /** Unmaps, without closing the descriptor: `IoUring` objects over it must not be used any more. */
  unmap(): void
  /** Unmaps and closes. */
  close(): void
}

/** Flags that only save interrupts and locks; a kernel that lacks them refuses the whole ring. */
const NICETIES = [
  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
  IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
  0,
]

/**
 * Makes a ring and maps it. `subject` names it in errors.
 * @throws ENOSYS, EPERM where io_uring does not exist or is forbidden, with the remedy; ENOMEM, EMFILE, EINVAL
 */
export function createIoUring(request: IoUringRequest, subject: string): OwnedIoUring {
  const flags = (request.flags ?? 0) | (request.completionEntries === undefined ? 0 : IORING_SETUP_CQSIZE)
  const params = encodeParams(request, flags)
  const descriptor = calls().io_uring_setup(request.entries, params)
  if (descriptor < 0) throw ioUringRefused(foreign().errno(), subject)
  const decoded = decodeParams(params)
  const needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP
  if ((decoded.features & needed) !== needed) {
    calls().close(descriptor)
    throw new ParakernelError('ENOTSUP', 'the kernel is too old: its rings can drop completions', {
      subject,
      remedy: 'Use Linux 5.11 or newer',
    })
  }
  return mapIoUring(descriptor, decoded, subject)
}

/**
 * As `createIoUring`, with the quickest way of posting completions that this kernel has: when the submitting thread enters
 * (IORING_SETUP_DEFER_TASKRUN), when it happens to enter the kernel, or by interrupting it. The first of them binds the ring
 * to one thread: the one that enables it, with IORING_SETUP_R_DISABLED.
 */
export function createQuickIoUring(request: IoUringRequest, subject: string): OwnedIoUring {
  const flags = (request.flags ?? 0) | IORING_SETUP_SUBMIT_ALL
  for (const niceties of NICETIES) {
    try {
      return createIoUring({ ...request, flags: flags | niceties }, subject)
    } catch (error) {
      if ((error as ParakernelError).code !== 'EINVAL') throw error
    }
  }
  return createIoUring(request, subject)
}

/** Maps the ring behind a descriptor, which another process may have made; `params` are those of its making. */
export function mapIoUring(descriptor: number, params: IoUringParams, subject: string): OwnedIoUring {
  const completionBytes = params.flags & IORING_SETUP_CQE32 ? 32 : 16
  const submissionBytes = params.flags & IORING_SETUP_SQE128 ? 128 : 64
  const ringsLength = Math.max(
    params.completion.entries + params.completionEntries * completionBytes,
    params.submission.entries + params.submissionEntries * 4,
  )
  const mappings: Mapping[] = []
  const unmap = () => {
    for (const mapping of mappings) mapping.unmap()
  }
  const map = (offset: number, length: number): MappedRange => {
    const mapping = mapDescriptor(descriptor, offset, length, `${subject} ring`)
    mappings.push(mapping)
    return { address: mapping.address, length }
  }
  try {
    const rings = map(IORING_OFF_SQ_RING, ringsLength)
    const sqes = map(IORING_OFF_SQES, params.submissionEntries * submissionBytes)
    fillIndexArray(mappings[0], params)
    return {
      ring: { ...params, descriptor, rings, sqes },
      unmap,
      close() {
        unmap()
        calls().close(descriptor)
      },
    }
  } catch (error) {
    unmap()
    if (error instanceof ParakernelError) {
      calls().close(descriptor)
      throw error
    }
    throw systemErrorClosing(descriptor, { call: 'mmap', subject })
  }
}

/** Entry i of the ring is submission entry i, for ever: the array is an indirection that nobody here needs. */
function fillIndexArray({ buffer }: Mapping, { submission, submissionEntries }: IoUringParams): void {
  const array = new Uint32Array(buffer, submission.entries, submissionEntries)
  for (let i = 0; i < array.length; i++) array[i] = i
}

/** io_uring_register(2). @throws with errno, naming the command */
export function registerIoUring(
  descriptor: number,
  command: number,
  argument: ArrayBufferView | null,
  count: number,
  { call, subject, remedy }: { readonly call: string; readonly subject: string; readonly remedy?: string },
): number {
  const result = Number(calls().io_uring_register(descriptor, command, argument, count))
  if (result >= 0) return result
  const errno = foreign().errno()
  throw systemError(errno, {
    call: `io_uring_register(${call})`,
    subject,
    ...(remedy !== undefined && errno !== EINVAL && { remedy }),
  })
}
