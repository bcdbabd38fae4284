import { ParakernelError } from '@parakernel/hal'
import { HEADER_BYTES, headerBlock, type ImageHeader } from '../format/header.ts'
import type { Medium } from '../medium/medium.ts'
import { RECORD_HEADER } from './record.ts'

export const LOG_VERSION = 1
const MiB = 1 << 20

/**
 * Where what lies in a log. Positions in the ring only grow; position p is byte `start + p % length` of the medium.
 */
export interface LogGeometry {
  readonly start: number
  /** Of the ring, in bytes. */
  readonly length: number
  /** What is written at once: a block; 8 bytes on persistent memory. */
  readonly unit: number
  /** A record's header never crosses a multiple of it. */
  readonly headerBlock: number
  /** Records do not cross the ring's end either: there is a pad before it. */
  readonly contiguous: boolean
  readonly segment: number
  readonly recordLimit: number
  readonly salt: number
}

export interface LogLayoutOptions {
  /** Bytes that the log takes, header included. Default: all of the medium. */
  readonly byteLength?: number
  /** Longest record in bytes, at most a quarter of the ring. Default 1 MiB, or that quarter if it is less. */
  readonly recordLimit?: number
  /** Bytes of one unit of recycling: truncation gives the medium whole ones back. Default 1 MiB, or an eighth of the ring if that is less. */
  readonly segmentBytes?: number
}

/** Bytes from one superblock to the next; the header lies before the first. */
export function slotBytes(medium: Medium): number {
  return headerBlock(medium)
}

/** The numbers that a new log's header gets. @throws EINVAL for a medium that is too small or limits that do not fit */
export function planLog(medium: Medium, options: LogLayoutOptions): Pick<ImageHeader, 'byteLength' | 'parameters'> {
  const invalid = (message: string, remedy: string) =>
    new ParakernelError('EINVAL', message, { subject: medium.name, remedy })
  const byteLength = options.byteLength ?? medium.byteLength
  if (!(byteLength <= medium.byteLength)) {
    throw invalid(`a log of ${byteLength} bytes does not fit into ${medium.byteLength}`, 'Make the log shorter')
  }
  const slots = 3 * slotBytes(medium)
  const start = byteLength >= MiB ? Math.ceil(slots / 4096) * 4096 : slots
  const room = byteLength - start
  const wanted = options.segmentBytes ?? Math.min(MiB, Math.floor(room / 8))
  const segment = Math.max(medium.blockSize, wanted - (wanted % medium.blockSize))
  const length = room - (room % segment)
  if (length < 2 * segment || length < 8 * HEADER_BYTES) {
    throw invalid(`${byteLength} bytes are too few for a log with segments of ${segment}`, 'Give it more blocks')
  }
  const most = Math.floor(length / 4) - 2 * RECORD_HEADER
  const recordLimit = options.recordLimit ?? Math.min(MiB, most)
  if (!(recordLimit > 0 && recordLimit <= most && recordLimit <= 0x3fff_ffff)) {
    throw invalid(
      `records of ${recordLimit} bytes do not fit: at most ${most}`,
      'Give it more blocks, or a lower limit',
    )
  }
  return { byteLength, parameters: [start, length, segment, recordLimit] }
}

/** @throws EUCLEAN for numbers that no log was made with */
export function geometryOf(medium: Medium, header: ImageHeader): LogGeometry {
  const [start, length, segment, recordLimit] = header.parameters
  const whole = [start, length, segment].every((n) => n > 0 && n % medium.blockSize === 0)
  const fits = start >= 3 * slotBytes(medium) && start + length <= header.byteLength && length % segment === 0
  if (!whole || !fits || !(recordLimit > 0 && recordLimit <= length / 4)) {
    throw new ParakernelError('EUCLEAN', 'the header of the log has numbers that contradict each other', {
      subject: medium.name,
      remedy: 'Restore the first block from a copy',
    })
  }
  const contiguous = medium.persistent !== undefined
  const { uuid } = header
  return {
    start,
    length,
    unit: contiguous ? 8 : medium.blockSize,
    headerBlock: contiguous ? length : medium.blockSize,
    contiguous,
    segment,
    recordLimit,
    salt: uuid[0] | (uuid[1] << 8) | (uuid[2] << 16) | (uuid[3] << 24),
  }
}
