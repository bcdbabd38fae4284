/**
 * Fragment header (RFC 8200 section 4.5), 8 bytes.
 *
 *      0             1          2                     4
 *     | next header | reserved | offset, flags       | identification |
 */
export const HEADER_LENGTH = 8
/**
 * Offset in bytes in the upper 13 bits of the field: fragments are cut at multiples of 8, so the bits fit as they
 * are.
 */
export const OFFSET_MASK = 0xfff8
export const MORE_FRAGMENTS = 1
/** Offset of the field with offset and flags: parameter problems point at it. */
export const OFFSET_FIELD = 2

export const nextHeader = (view: DataView, at: number): number => view.getUint8(at)
/** Offset and flags as they stand. */
export const field = (view: DataView, at: number): number => view.getUint16(at + OFFSET_FIELD)
/** As an int32: it is compared, never counted with. */
export const identification = (view: DataView, at: number): number => view.getInt32(at + 4)

/** The whole of a datagram in one fragment (RFC 6946): neither an offset nor more to come. */
export const isAtomic = (view: DataView, at: number): boolean =>
  (field(view, at) & (OFFSET_MASK | MORE_FRAGMENTS)) === 0

export function emit(view: DataView, at: number, next: number, offset: number, more: boolean, id: number): void {
  view.setInt32(at, (next << 24) | offset | (more ? MORE_FRAGMENTS : 0))
  view.setInt32(at + 4, id)
}
