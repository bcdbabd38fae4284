import { read } from '../medium/awaitable.ts'
import type { Medium } from '../medium/medium.ts'

/** Bytes at the start of a medium that must be zero for it to hold nothing: where every image and file system begins. */
const BLANK = 128 * 1024

/** Whether a medium holds nothing, as far as its beginning shows. @throws EIO */
export async function isBlankMedium(medium: Medium): Promise<boolean> {
  const length = Math.min(medium.byteLength, BLANK)
  const bytes = await read(medium, 0, length - (length % medium.blockSize))
  return bytes.every((byte) => byte === 0)
}
