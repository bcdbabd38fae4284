import { BLOCK_HEADER } from '../layout/constants.ts'

// A directory block: the header, the number of bytes that entries take (32 bits), 4 reserved bytes, entries one behind the other:
// [inode u32] [kind u8] [length of the name u8] [name in UTF-8].
export const USED_AT = BLOCK_HEADER
export const ENTRIES_AT = BLOCK_HEADER + 8
export const ENTRY_HEAD = 6

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export interface RawEntry {
  readonly inode: number
  readonly kind: number
  readonly name: string
  /** Bytes from the start of the block. */
  readonly at: number
  readonly length: number
}

export function encodeName(name: string): Uint8Array {
  return encoder.encode(name)
}

/**
 * Entries of a block, in the order in which they stand. Stops at the first that is malformed, and says so by `onDefect`; bytes of
 * a corrupted block never lead outside of it.
 */
export function* entriesOf(bytes: Uint8Array, onDefect?: (reason: string) => void): Generator<RawEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const used = view.getUint32(USED_AT, true)
  if (used > bytes.length - ENTRIES_AT) {
    onDefect?.(`says that its entries take ${used} bytes`)
    return
  }
  const end = ENTRIES_AT + used
  let at = ENTRIES_AT
  while (at < end) {
    const length = at + ENTRY_HEAD > end ? 0 : ENTRY_HEAD + bytes[at + 5]
    if (length <= ENTRY_HEAD || at + length > end) {
      onDefect?.(`has an entry that does not fit at byte ${at}`)
      return
    }
    let name: string
    try {
      name = decoder.decode(bytes.subarray(at + ENTRY_HEAD, at + length))
    } catch {
      onDefect?.(`has a name that is not UTF-8 at byte ${at}`)
      return
    }
    yield { inode: view.getUint32(at, true), kind: bytes[at + 4], name, at, length }
    at += length
  }
}
