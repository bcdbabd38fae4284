/**
 * The header before every record, 32 bytes, little endian. It lies at a multiple of 8 and within one block, so that it is never
 * torn; what is left of a block is skipped when it is less than a header.
 *
 *      0  u32  CRC-32C of the payload, followed by bytes 4 to 31 of the header (of a pad: of the header alone)
 *      4  u32  bytes of payload; of a pad: bytes to skip behind the header
 *      8  u64  sequence; of a pad: that of the next record
 *     16  u32  epoch
 *     20  u32  records right before this one that were not known to be durable when it was written
 *     24  u8   kind: 1 a record, 2 a pad
 *     25  u8   bytes between header and payload, 0 to 7
 *     26  u16  0
 *     28  u32  the first four bytes of the image's uuid
 *
 * A stale block cannot revive: sequence, epoch and image are in the checksum.
 */
export const RECORD_HEADER = 32
export const LENGTH_AT = 4
export const SEQUENCE_AT = 8
export const EPOCH_AT = 16
export const PENDING_AT = 20
export const KIND_AT = 24
export const LEAD_AT = 25
export const SALT_AT = 28
/** Where the checksum of the header itself begins, and its bytes. */
export const CHECKED_AT = 4
export const CHECKED_BYTES = RECORD_HEADER - CHECKED_AT

export const KIND_RECORD = 1
export const KIND_PAD = 2

const HIGH = 0x1_0000_0000

/** Bytes that a record takes of the log. */
export function recordBytes(length: number, lead = 0): number {
  return (RECORD_HEADER + lead + length + 7) & ~7
}

/** All fields but the checksum. */
export function putHeader(
  view: DataView,
  at: number,
  length: number,
  sequence: number,
  epoch: number,
  pending: number,
  kindAndLead: number,
  salt: number,
): void {
  view.setInt32(at + LENGTH_AT, length, true)
  view.setUint32(at + SEQUENCE_AT, sequence % HIGH, true)
  view.setUint32(at + SEQUENCE_AT + 4, sequence / HIGH, true)
  view.setInt32(at + EPOCH_AT, epoch, true)
  view.setInt32(at + PENDING_AT, pending, true)
  view.setInt32(at + KIND_AT, kindAndLead, true)
  view.setInt32(at + SALT_AT, salt, true)
}

export function sequenceAt(view: DataView, at: number): number {
  return view.getUint32(at + SEQUENCE_AT + 4, true) * HIGH + view.getUint32(at + SEQUENCE_AT, true)
}
