import { ParakernelError } from '@parakernel/hal'

interface NamedMedia {
  readonly media: Uint8Array
  readonly blockSize: number
  open: boolean
}

const named = new Map<string, NamedMedia>()

/**
 * The content that this process keeps under a name, zeroes at first.
 * @throws EBUSY while a disk of the name is open, EINVAL when it was made with another size
 */
export function takeMedia(name: string, byteLength: number, blockSize: number, make: () => Uint8Array): Uint8Array {
  const subject = `emulated disk ${name}`
  let entry = named.get(name)
  if (entry === undefined) {
    entry = { media: make(), blockSize, open: false }
    named.set(name, entry)
  }
  if (entry.open) {
    throw new ParakernelError('EBUSY', 'is open', { subject, remedy: 'Close it first, or give another `name`' })
  }
  if (entry.media.byteLength !== byteLength || entry.blockSize !== blockSize) {
    throw new ParakernelError(
      'EINVAL',
      `was made with ${entry.media.byteLength} bytes in blocks of ${entry.blockSize}`,
      {
        subject,
        remedy: 'Open it with the same size, or call `discardDisk` first',
      },
    )
  }
  entry.open = true
  return entry.media
}

export function giveMediaBack(name: string): void {
  const entry = named.get(name)
  if (entry !== undefined) entry.open = false
}

/** Forgets what a closed disk of this name held. False when there is none, or it is open. */
export function discardDisk(name: string): boolean {
  return named.get(name)?.open === false && named.delete(name)
}
