import { ParakernelError } from '@parakernel/hal'
import { decodeHeader, headerBlock, writeHeader } from '../format/header.ts'
import { makeLog } from '../log/make-log.ts'
import { read, write } from '../medium/awaitable.ts'
import type { Medium } from '../medium/medium.ts'
import { RECORDS_VERSION } from './format.ts'
import { logMedium, logStart } from './image.ts'

const MiB = 1 << 20

export interface MakeRecordsOptions {
  /** Of the image; default all of the medium. */
  readonly byteLength?: number
  /** Longest key and value together, with 20 bytes for themselves; default 1 MiB, or an eighth of the log. */
  readonly recordLimit?: number
  /** Also where there is an image already, which is lost. Default false. */
  readonly overwrite?: boolean
  /** As of `makeLog`: writes everything once, so that a file has its blocks. Default false. */
  readonly initialize?: boolean
  /** 16 bytes; random when absent. */
  readonly uuid?: Uint8Array
}

/**
 * Makes an empty store of key-value records on a medium. Its header is written last: a store that is half made is none.
 * @throws EEXIST for an image that is there and not to be overwritten, EINVAL for a medium that is too small
 */
export async function makeRecords(medium: Medium, options: MakeRecordsOptions = {}): Promise<void> {
  const { blockSize } = medium
  const byteLength = options.byteLength ?? medium.byteLength - (medium.byteLength % blockSize)
  const start = logStart(medium, byteLength)
  if (!(byteLength % blockSize === 0 && byteLength <= medium.byteLength && byteLength >= start + 16 * 1024)) {
    throw new ParakernelError('EINVAL', `a store of ${byteLength} bytes does not fit, or is not of whole blocks`, {
      subject: medium.name,
      remedy: `Give it between ${start + 16 * 1024} and ${medium.byteLength} bytes, a multiple of ${blockSize}`,
    })
  }
  if (options.overwrite !== true) await mustBeEmpty(medium)
  const uuid = options.uuid ?? crypto.getRandomValues(new Uint8Array(16))
  const parameters = [start]
  const log = logMedium(medium, { byteLength, parameters })
  const { recordLimit = Math.min(MiB, Math.floor(log.byteLength / 8)), initialize = false } = options
  const segmentBytes = Math.min(MiB, Math.floor(log.byteLength / 32))
  // An image that is overwritten is none from here on.
  await write(medium, 0, new Uint8Array(headerBlock(medium)), true)
  await makeLog(log, { recordLimit, segmentBytes, uuid, initialize, overwrite: true })
  const nothing = new Uint8Array(headerBlock(medium))
  await write(medium, nothing.length, nothing)
  await write(medium, 2 * nothing.length, nothing, true)
  log.close()
  await writeHeader(medium, { kind: 'records', version: RECORDS_VERSION, blockSize, uuid, byteLength, parameters })
}

async function mustBeEmpty(medium: Medium): Promise<void> {
  const found = decodeHeader(await read(medium, 0, headerBlock(medium)))
  if (found === 'no-image') return
  const what = typeof found === 'string' ? 'an image' : `an image of ${found.kind}`
  throw new ParakernelError('EEXIST', `${what} is there already`, {
    subject: medium.name,
    remedy: 'Name another medium, or pass `overwrite: true` to lose what it holds',
  })
}
