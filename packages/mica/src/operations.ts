/** Opcodes of a request. The numbers are part of the memory contract with the WASM kernel. */
export const OP_NOOP = 0
/** Value, version, flags and expiry of a key. */
export const OP_GET = 1
/** Stores whether or not the key exists. */
export const OP_SET = 2
/** Stores only if the key does not exist; else RESULT_EXISTS. */
export const OP_ADD = 3
/** Stores only if the key exists; else RESULT_NOT_FOUND. */
export const OP_REPLACE = 4
export const OP_DELETE = 5
/** Stores only if the item's version equals the operand; RESULT_EXISTS if it differs, RESULT_NOT_FOUND if absent. */
export const OP_CAS = 6
/** Adds the 64-bit operand to a value that is an 8-byte little-endian counter; wraps modulo 2^64. */
export const OP_INCREMENT = 7
/** Subtracts the 64-bit operand; stops at zero, as memcached's decr does. */
export const OP_DECREMENT = 8
/** Adds the request's value behind the stored one. Expiry and flags stay as they are. */
export const OP_APPEND = 9
/** Adds the request's value before the stored one. Expiry and flags stay as they are. */
export const OP_PREPEND = 10
/** Sets a new expiry; the version does not change. */
export const OP_TOUCH = 11
/** GET and TOUCH in one step. */
export const OP_GET_AND_TOUCH = 12
/** GET without the value: result, value length, version, flags, expiry. */
export const OP_TEST = 13

/** Result codes of a request. */
export const RESULT_OK = 0
export const RESULT_NOT_FOUND = 1
/** ADD met an existing key, or CAS another version. */
export const RESULT_EXISTS = 2
/** Store mode: no free block is large enough. The old value, if any, is still there. */
export const RESULT_NO_SPACE = 3
/** Store mode: the bucket is full and no spare bucket is left. */
export const RESULT_INDEX_FULL = 4
/** The key is empty or longer than 255 bytes. */
export const RESULT_BAD_KEY = 5
/** The value (after APPEND or PREPEND: the sum) exceeds the partition's `maxValueBytes`. */
export const RESULT_VALUE_TOO_LARGE = 6
/** The key was found, but its value does not fit in the output area; `responseLength` and `storedAddress` are set. */
export const RESULT_NO_ROOM = 7
/** INCREMENT or DECREMENT of a value that is not 8 bytes long. */
export const RESULT_NOT_A_COUNTER = 8
export const RESULT_UNKNOWN_OPCODE = 9

/** Names by result code, for logs and error texts. */
export const RESULT_NAMES: readonly string[] = [
  'ok',
  'not found',
  'exists',
  'no space',
  'index full',
  'bad key',
  'value too large',
  'no room',
  'not a counter',
  'unknown opcode',
]
