import type { ErrorCode } from '@parakernel/hal'
import { codeOf } from '../medium/errno.ts'

export const EFBIG = 27

/** Errno numbers that may end an operation. */
const NUMBERS = Array.from({ length: 134 }, (_, i) => i)

/** The name of the negative errno that an operation ended with. */
export function errorCodeOf(status: number): ErrorCode {
  return status === -EFBIG ? 'EFBIG' : codeOf(status)
}

/** The negative errno of a code; EIO's for one that no operation ends with. */
export function statusOf(code: ErrorCode): number {
  return -(NUMBERS.find((number) => number > 0 && errorCodeOf(-number) === code) ?? 5)
}
