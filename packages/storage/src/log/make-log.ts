import { ParakernelError } from '@parakernel/hal'
import { decodeHeader, headerBlock, writeHeader } from '../format/header.ts'
import { flush, read, write } from '../medium/awaitable.ts'
import type { Medium } from '../medium/medium.ts'
import { LOG_VERSION, type LogLayoutOptions, planLog } from './geometry.ts'
import { type Superblock, storeSuperblock } from './superblock.ts'

const CHUNK = 1 << 20

export interface MakeLogOptions extends LogLayoutOptions {
  /** Also where there is an image already, which is lost. Default false. */
  readonly overwrite?: boolean
  /**
   * Writes the whole ring once. Without it a file system gives each block its place when it is first written, which makes flushes of
   * the first round several times slower. Default false.
   */
  readonly initialize?: boolean
  /** 16 bytes; random when absent. */
  readonly uuid?: Uint8Array
}

/**
 * Makes an empty log on a medium. Its header is written last: a log that is half made is none.
 * @throws EEXIST for an image that is there and not to be overwritten, EINVAL for a medium that is too small
 */
export async function makeLog(medium: Medium, options: MakeLogOptions = {}): Promise<void> {
  const plan = planLog(medium, options)
  if (options.overwrite !== true) await mustBeEmpty(medium)
  const uuid = options.uuid ?? crypto.getRandomValues(new Uint8Array(16))
  const empty: Superblock = {
    generation: 1,
    epoch: 0,
    epochSequence: 1,
    epochPosition: 0,
    headSequence: 1,
    headPosition: 0,
    clean: true,
    tailSequence: 1,
    tailPosition: 0,
  }
  if (options.initialize === true) await writeRing(medium, plan.parameters[0], plan.parameters[1])
  await storeSuperblock(medium, empty, uuid)
  await storeSuperblock(medium, { ...empty, generation: 2 }, uuid)
  await flush(medium)
  await writeHeader(medium, { kind: 'log', version: LOG_VERSION, blockSize: medium.blockSize, uuid, ...plan })
}

async function writeRing(medium: Medium, start: number, length: number): Promise<void> {
  const zeroes = new Uint8Array(CHUNK)
  for (let at = 0; at < length; at += CHUNK) {
    await write(medium, start + at, zeroes.subarray(0, Math.min(CHUNK, length - at)))
  }
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
