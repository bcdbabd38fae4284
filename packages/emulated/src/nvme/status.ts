/** Status codes that the controller gives, as `type << 8 | code`; base specification 2.0, section 3.3.3.2.1. */
export const SUCCESS = 0x000
export const INVALID_OPCODE = 0x001
export const INVALID_FIELD = 0x002
export const IDENTIFIER_CONFLICT = 0x003
export const DATA_TRANSFER_ERROR = 0x004
export const ABORT_REQUESTED = 0x007
export const ABORTED_QUEUE_DELETED = 0x008
export const INVALID_NAMESPACE = 0x00b
export const COMMAND_SEQUENCE_ERROR = 0x00c
export const INVALID_SGL_SEGMENT = 0x00d
export const INVALID_SGL_COUNT = 0x00e
export const INVALID_SGL_LENGTH = 0x00f
export const INVALID_SGL_TYPE = 0x011
export const INVALID_PRP_OFFSET = 0x013
export const LBA_OUT_OF_RANGE = 0x080
export const INVALID_COMPLETION_QUEUE = 0x100
export const INVALID_QUEUE_IDENTIFIER = 0x101
export const INVALID_QUEUE_SIZE = 0x102
export const EVENT_LIMIT_EXCEEDED = 0x105
export const INVALID_VECTOR = 0x108
export const INVALID_LOG_PAGE = 0x109
export const INVALID_QUEUE_DELETION = 0x10c
export const FEATURE_NOT_SAVEABLE = 0x10d
export const FEATURE_NOT_CHANGEABLE = 0x10e
export const READ_ONLY_RANGE = 0x182
export const COMPARE_FAILURE = 0x285

/** Bits above the code: the error log has more, and do not retry. */
export const MORE = 1 << 13
export const DO_NOT_RETRY = 1 << 14

/** Conditions that the same command will meet again. */
export function isPermanent(status: number): boolean {
  return status !== SUCCESS && status !== DATA_TRANSFER_ERROR && status !== ABORT_REQUESTED && status < 0x280
}
