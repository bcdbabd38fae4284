import { ParakernelError } from '@parakernel/hal'
import { ERRNO_NUMBERS, STATUS_CODES, type StatusErrno } from './status.ts'

/** The status field of a completion, decoded (base specification 2.0, figure 92). */
export interface NvmeStatus {
  /** Status code type: 0 generic, 1 command specific, 2 media, 3 path, 7 vendor specific. */
  readonly type: number
  readonly code: number
  readonly name: string
  /** The controller expects the same command to fail again. */
  readonly doNotRetry: boolean
  /** The error log page has more about it. */
  readonly more: boolean
}

const CODE_MASK = 0x7ff
const MORE = 1 << 13
const DO_NOT_RETRY = 1 << 14

export const STATUS_ABORT_REQUESTED = 0x007
export const STATUS_COMPARE_FAILURE = 0x285

/** `type << 8 | code` of a status field; 0 is success. */
export function statusNumber(field: number): number {
  return field & CODE_MASK
}

/** Decodes the 15 bits of a completion's status field, the phase bit taken off. */
export function decodeStatus(field: number): NvmeStatus {
  const number = statusNumber(field)
  return {
    type: number >>> 8,
    code: number & 0xff,
    name: STATUS_CODES.get(number)?.name ?? (number >>> 8 === 7 ? 'Vendor Specific' : 'Unknown Status'),
    doNotRetry: (field & DO_NOT_RETRY) !== 0,
    more: (field & MORE) !== 0,
  }
}

/** What a status means in errnos; codes that the table does not have are EIO. */
export function statusErrno(field: number): StatusErrno {
  return STATUS_CODES.get(statusNumber(field))?.errno ?? 'EIO'
}

/** The negative number that a completion carries; 0 for success. */
export function completionStatus(field: number): number {
  return statusNumber(field) === 0 ? 0 : -ERRNO_NUMBERS[statusErrno(field)]
}

/** Whether the same command may well succeed: the table says that the condition passes, and the controller does not object. */
export function isRetriable(field: number): boolean {
  return (field & DO_NOT_RETRY) === 0 && STATUS_CODES.get(statusNumber(field))?.retry === true
}

const brand = Symbol.for('parakernel.nvme-error')

/** A command that the controller completed with an error. `code` is the errno, `status` the controller's own word. */
export class NvmeError extends ParakernelError {
  readonly status: NvmeStatus
  readonly command: string
  readonly [brand] = true

  constructor(field: number, command: string, subject: string) {
    const status = decodeStatus(field)
    const number = `${status.type}/0x${status.code.toString(16).padStart(2, '0')}`
    super(statusErrno(field), `${command} failed: ${status.name}, status ${number}`, { subject })
    this.name = 'NvmeError'
    this.status = status
    this.command = command
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value
  }
}
