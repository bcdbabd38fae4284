/*
 * The native protocol: many operations in one UDP datagram. All integers are little-endian; every header, key and
 * value starts at a multiple of 8 bytes from the start of the payload, so that a server reads and writes by words.
 * The README documents the same bytes in prose; `test/native-golden.test.ts` pins them.
 */

/** 'P', 'K' as the first two bytes. */
export const MAGIC = 0x4b50
export const VERSION = 1

// Packet header, 24 bytes, the same in both directions.
export const PACKET_HEADER_BYTES = 24
/** u16 */
export const P_MAGIC = 0
/** u8 */
export const P_VERSION = 2
/** u8, PACKET_* below */
export const P_FLAGS = 3
/** u16, operations in the packet */
export const P_COUNT = 4
/** u8, STATUS_* below; 0 in a request */
export const P_STATUS = 6
/** u32, the client's, echoed */
export const P_OPAQUE = 8
/** u16, response: partitions of the server */
export const P_PARTITIONS = 12
/** u16, response: the partition that answered */
export const P_PARTITION = 14
/** u64, see PACKET_COOKIE */
export const P_COOKIE = 16

export const PACKET_RESPONSE = 1 << 0
/** The cookie field counts: in a request it proves the source address, in a response it is the one to use. */
export const PACKET_COOKIE = 1 << 1

export const STATUS_OK = 0
/** An operation was cut off or its lengths lie; those before it were executed. */
export const STATUS_MALFORMED = 1
export const STATUS_BAD_VERSION = 2
/** Some results did not fit in what an unproven address may receive: repeat those with the cookie. */
export const STATUS_COOKIE_REQUIRED = 3

// Operation header, 24 bytes; in a request an extension of 16 bytes may follow, then the key, then the value.
export const OPERATION_HEADER_BYTES = 24
export const EXTENSION_BYTES = 16
/** u8, OP_* of the store */
export const O_OPCODE = 0
/** Request: u8, 1..255 */
export const O_KEY_LENGTH = 1
/** Response: u8, RESULT_* of the store, or one of those below */
export const O_RESULT = 1
/** Request: u8, OPERATION_* below */
export const O_FLAGS = 2
/** u32 */
export const O_VALUE_LENGTH = 4
/** Request: u64, the keyhash */
export const O_HASH = 8
/** Response: u64, the item's version, 0 if there is none */
export const O_ITEM_VERSION = 8
/** u32, the client's, echoed */
export const O_OPAQUE = 16
/** Request: u32, time to live in milliseconds, 0 = for ever */
export const O_TTL = 20
/** Response: u32, the item's client flags */
export const O_CLIENT_FLAGS = 20
/** Extension: u64, expected version (CAS), delta (INCREMENT, DECREMENT) */
export const X_OPERAND = 0
/** Extension: u32, client flags to store with the value */
export const X_CLIENT_FLAGS = 8

/** The extension is there. Without it, operand and client flags are 0. */
export const OPERATION_EXTENDED = 1 << 0

/** Results beyond the store's own (0..31). */
export const RESULT_COOKIE_REQUIRED = 32
/** The key belongs to another partition, and could not be handed over. */
export const RESULT_WRONG_PARTITION = 33
export const RESULT_MALFORMED = 34

/** IPv4 over Ethernet: 1500 - 20 - 8. What a client fills at most, so that no fragment is needed. */
export const DEFAULT_PAYLOAD_BYTES = 1472

export function pad8(length: number): number {
  return (length + 7) & ~7
}
