/** Every fixed answer of the text protocol, by number, as it goes on the wire. */
export const TEXT_ERROR = 0
export const TEXT_BAD_FORMAT = 1
export const TEXT_BAD_CHUNK = 2
export const TEXT_TOO_LARGE = 3
export const TEXT_OUT_OF_MEMORY = 4
export const TEXT_NON_NUMERIC = 5
export const TEXT_INVALID_DELTA = 6
export const TEXT_INVALID_EXPTIME = 7
export const TEXT_MULTI_PACKET = 8
export const TEXT_DELETE_USAGE = 9
export const TEXT_DENIED = 10
export const TEXT_BUSY = 11
export const TEXT_STORED = 12
export const TEXT_NOT_STORED = 13
export const TEXT_EXISTS = 14
export const TEXT_NOT_FOUND = 15
export const TEXT_DELETED = 16
export const TEXT_TOUCHED = 17
export const TEXT_OK = 18
export const TEXT_END = 19
export const TEXT_RESET = 20
export const TEXT_VERSION = 21
export const TEXT_RESPONSE_TOO_LARGE = 22

const encoder = new TextEncoder()

export const TEXTS: readonly Uint8Array[] = [
  'ERROR',
  'CLIENT_ERROR bad command line format',
  'CLIENT_ERROR bad data chunk',
  'SERVER_ERROR object too large for cache',
  'SERVER_ERROR out of memory storing object',
  'CLIENT_ERROR cannot increment or decrement non-numeric value',
  'CLIENT_ERROR invalid numeric delta argument',
  'CLIENT_ERROR invalid exptime argument',
  'SERVER_ERROR multi-packet request not supported',
  'CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]',
  'SERVER_ERROR denied',
  'SERVER_ERROR busy',
  'STORED',
  'NOT_STORED',
  'EXISTS',
  'NOT_FOUND',
  'DELETED',
  'TOUCHED',
  'OK',
  'END',
  'RESET',
  'VERSION 0.0.0-parakernel',
  'SERVER_ERROR out of memory writing get response',
].map((text) => encoder.encode(`${text}\r\n`))
