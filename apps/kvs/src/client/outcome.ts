import { type ErrorCode, ParakernelError } from '@parakernel/hal'
import {
  RESULT_BAD_KEY,
  RESULT_EXISTS,
  RESULT_INDEX_FULL,
  RESULT_NAMES,
  RESULT_NO_ROOM,
  RESULT_NO_SPACE,
  RESULT_NOT_FOUND,
  RESULT_OK,
  RESULT_VALUE_TOO_LARGE,
} from '@parakernel/mica'
import type { ResponseReader } from '../protocol/native/response-reader.ts'
import { RESULT_CLOSED, RESULT_TIMED_OUT } from './request-engine.ts'

/** One operation, by the store's opcode. */
export interface Operation {
  readonly opcode: number
  readonly key: string | Uint8Array
  readonly value?: string | Uint8Array
  readonly ttl?: number
  readonly flags?: number
  /** CAS: expected version. INCREMENT, DECREMENT: delta. */
  readonly operand?: bigint
}

/** What an operation came to, where it is no error. */
export interface Outcome {
  readonly status: 'ok' | 'not-found' | 'exists'
  /** A copy; empty where the operation returns none. */
  readonly value: Uint8Array<ArrayBuffer>
  readonly version: bigint
  readonly flags: number
}

/** Exactly one of the two is defined. */
export type Callback = (error: ParakernelError | undefined, outcome: Outcome | undefined) => void

/** Reads a response into an object of its own. */
export function outcomeOf(result: number, response: ResponseReader, bytes: Uint8Array): Outcome | ParakernelError {
  if (result !== RESULT_OK && result !== RESULT_NOT_FOUND && result !== RESULT_EXISTS) return errorOf(result)
  return {
    status: result === RESULT_OK ? 'ok' : result === RESULT_EXISTS ? 'exists' : 'not-found',
    value: copyOf(bytes, response.valueOffset, response.valueLength),
    version: (BigInt(response.versionHi >>> 0) << 32n) | BigInt(response.versionLo >>> 0),
    flags: response.clientFlags >>> 0,
  }
}

function copyOf(bytes: Uint8Array, at: number, length: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(length)
  if (length > 0) copy.set(bytes.subarray(at, at + length))
  return copy
}

function errorOf(result: number): ParakernelError {
  const error = (code: ErrorCode, message: string, remedy?: string) =>
    new ParakernelError(code, message, { subject: 'KvsClient', ...(remedy === undefined ? {} : { remedy }) })
  switch (result) {
    case RESULT_TIMED_OUT:
      return error('ETIMEDOUT', 'no answer', 'Check that the server runs, or raise timeout or retries')
    case RESULT_CLOSED:
      return error('ECANCELED', 'the client was closed')
    case RESULT_BAD_KEY:
      return error('EINVAL', 'the server refused the key')
    case RESULT_NO_SPACE:
    case RESULT_INDEX_FULL:
      return error('ENOSPC', 'the store is full', 'Give it more memory, or use cache mode')
    case RESULT_VALUE_TOO_LARGE:
      return error('EMSGSIZE', 'the value is too large for the store')
    case RESULT_NO_ROOM:
      return error('EMSGSIZE', 'the value does not fit in a datagram', 'Read it over the memcached protocol')
    default:
      return error('EPROTO', `the server answered '${RESULT_NAMES[result] ?? `result ${result}`}'`)
  }
}
