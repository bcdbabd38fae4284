import { ParakernelError } from '@parakernel/hal'
import { read, write } from '../medium/awaitable.ts'
import type { Medium } from '../medium/medium.ts'
import { crc32c } from './crc32c.ts'

/** What an image holds; part of its header. New kinds take new numbers, old ones are never used again. */
export const IMAGE_KINDS = { log: 1, files: 2, records: 3 } as const
export type ImageKind = keyof typeof IMAGE_KINDS

/** "PARAKRN1", in the order of the bytes. */
const MAGIC = Uint8Array.of(0x50, 0x41, 0x52, 0x41, 0x4b, 0x52, 0x4e, 0x31)
const VERSION_AT = 8
const KIND_AT = 12
const BLOCK_SIZE_AT = 16
const LENGTH_AT = 24
const UUID_AT = 32
const PARAMETERS_AT = 48
const PARAMETERS = 8
const CRC_AT = 124
/** Bytes of the header that mean something; the rest of its block is zero. */
export const HEADER_BYTES = 128

/** The first block of every image. */
export interface ImageHeader {
  readonly kind: ImageKind
  /** Of the kind's own format. */
  readonly version: number
  /** Of the medium that it was made on, in bytes. */
  readonly blockSize: number
  /** Bytes that the image has, this block included; at most what the medium has. */
  readonly byteLength: number
  /** 16 bytes that no two images share. */
  readonly uuid: Uint8Array
  /** The kind's own numbers, up to 8 of 64 bits (exact below 2^53). */
  readonly parameters: readonly number[]
}

export function encodeHeader(header: ImageHeader, blockSize = header.blockSize): Uint8Array {
  const bytes = new Uint8Array(Math.max(blockSize, HEADER_BYTES))
  const view = new DataView(bytes.buffer)
  bytes.set(MAGIC)
  view.setUint32(VERSION_AT, header.version, true)
  view.setUint32(KIND_AT, IMAGE_KINDS[header.kind], true)
  view.setUint32(BLOCK_SIZE_AT, header.blockSize, true)
  setUint64(view, LENGTH_AT, header.byteLength)
  bytes.set(header.uuid.subarray(0, 16), UUID_AT)
  for (let i = 0; i < PARAMETERS; i++) setUint64(view, PARAMETERS_AT + 8 * i, header.parameters[i] ?? 0)
  view.setInt32(CRC_AT, crc32c(bytes, 0, 0, CRC_AT), true)
  return bytes
}

/** What a block says, or why it is not the header of an image. */
export function decodeHeader(bytes: Uint8Array): ImageHeader | 'no-image' | 'damaged' | 'unknown-kind' {
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) return 'no-image'
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getInt32(CRC_AT, true) !== crc32c(bytes, 0, 0, CRC_AT)) return 'damaged'
  const kind = Object.entries(IMAGE_KINDS).find(([, number]) => number === view.getUint32(KIND_AT, true))?.[0]
  if (kind === undefined) return 'unknown-kind'
  return {
    kind: kind as ImageKind,
    version: view.getUint32(VERSION_AT, true),
    blockSize: view.getUint32(BLOCK_SIZE_AT, true),
    byteLength: getUint64(view, LENGTH_AT),
    uuid: bytes.slice(UUID_AT, UUID_AT + 16),
    parameters: Array.from({ length: PARAMETERS }, (_, i) => getUint64(view, PARAMETERS_AT + 8 * i)),
  }
}

/** Bytes that the header takes of a medium: one block, and at least 128. */
export function headerBlock(medium: Medium): number {
  return Math.max(medium.blockSize, HEADER_BYTES)
}

/** Puts the header in place, durably: the last step of making an image. */
export function writeHeader(medium: Medium, header: ImageHeader): Promise<void> {
  return write(medium, 0, encodeHeader(header, headerBlock(medium)), true)
}

/**
 * The header of an image of one kind. Writes nothing.
 * @throws EINVAL for no image, another kind, version or block size, or an image longer than its medium; EUCLEAN for a header that is damaged
 */
export async function readHeader(medium: Medium, kind: ImageKind, version: number): Promise<ImageHeader> {
  if (medium.byteLength < headerBlock(medium)) throw refusal(medium, `has no room for a header`, 'Give it more blocks')
  const header = decodeHeader(await read(medium, 0, headerBlock(medium)))
  if (header === 'no-image') throw refusal(medium, `holds no ${kind}`, `Make one first, or name the medium that has it`)
  if (header === 'unknown-kind') throw refusal(medium, 'holds an image of an unknown kind', 'Use a newer version')
  if (header === 'damaged') {
    throw new ParakernelError('EUCLEAN', 'the header of the image fails its checksum', {
      subject: medium.name,
      remedy: 'Restore the first block from a copy, or make the image anew',
    })
  }
  if (header.kind !== kind) {
    throw refusal(medium, `holds ${header.kind}, not ${kind}`, `Open it as ${header.kind}, or name another medium`)
  }
  if (header.version !== version) {
    throw refusal(
      medium,
      `holds ${kind} of format ${header.version}, this is format ${version}`,
      'Use the version of the package that made it',
    )
  }
  if (header.blockSize !== medium.blockSize) {
    throw refusal(
      medium,
      `was made with blocks of ${header.blockSize} bytes, the medium has ${medium.blockSize}`,
      'Open it on a medium with its block size',
    )
  }
  if (header.byteLength > medium.byteLength) {
    throw refusal(
      medium,
      `holds an image of ${header.byteLength} bytes, and has only ${medium.byteLength}`,
      'The medium was cut: restore its length',
    )
  }
  return header
}

export function setUint64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, Math.floor(value / 0x1_0000_0000), true)
}

/** Values of 2^53 and above come out inexact, and above all others. */
export function getUint64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true)
}

function refusal(medium: Medium, message: string, remedy: string): ParakernelError {
  return new ParakernelError('EINVAL', message, { subject: medium.name, remedy })
}
