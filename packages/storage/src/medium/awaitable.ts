import {
  BLOCK_DEALLOCATE,
  BLOCK_FLUSH,
  BLOCK_READ,
  BLOCK_WRITE,
  BLOCK_WRITE_ZEROES,
  ParakernelError,
} from '@parakernel/hal'
import { statusError } from './errno.ts'
import type { Medium } from './medium.ts'
import { MediumRequest } from './request.ts'

/** Frames that one transfer of the awaitable face takes at most. */
const FRAMES = 64

/** Submits, and resolves with the status: 0, or a negative errno. `fill` begins the request and adds its segments. */
export function submitted(medium: Medium, fill: (request: MediumRequest) => void, segments = 1): Promise<number> {
  return new Promise((resolve) => {
    const request = new MediumRequest((done) => {
      medium.loop.requestYield()
      resolve(done.status)
    }, segments)
    fill(request)
    medium.submit(request)
  })
}

/** Bytes of a medium, in memory of their own. `position` and `length` are multiples of the block size. @throws EIO and what else ends a request */
export async function read(medium: Medium, position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length)
  await transfer(medium, BLOCK_READ, position, bytes, false)
  return bytes
}

/** As {@link read}, into an array that the caller has. */
export function readInto(medium: Medium, position: number, bytes: Uint8Array): Promise<void> {
  return transfer(medium, BLOCK_READ, position, bytes, false)
}

/** Writes bytes, a multiple of the block size. With `fua` they survive when it resolves; without, after the next `flush`. */
export function write(medium: Medium, position: number, bytes: Uint8Array, fua = false): Promise<void> {
  return transfer(medium, BLOCK_WRITE, position, bytes, fua)
}

/** Resolves when all that was written before is on stable media. */
export async function flush(medium: Medium): Promise<void> {
  const status = await submitted(medium, (request) => void request.begin(BLOCK_FLUSH, 0))
  if (status !== 0) throw statusError(status, 'flush failed', medium.name)
}

/** Tells the device that a range is no longer needed; what it reads as is undefined. Resolves with the status, for it is but a hint. */
export function deallocate(medium: Medium, position: number, length: number): Promise<number> {
  return submitted(medium, (request) => void request.begin(BLOCK_DEALLOCATE, position, length))
}

/** The range reads as zeroes. Falls back to writing them where the device has no command for it. */
export async function writeZeroes(medium: Medium, position: number, length: number): Promise<void> {
  const status = await submitted(medium, (request) => void request.begin(BLOCK_WRITE_ZEROES, position, length))
  if (status === 0) return
  if (status !== -95) throw statusError(status, `write of zeroes at ${position} failed`, medium.name)
  const zeroes = new Uint8Array(Math.min(length, 1 << 20))
  for (let at = 0; at < length; at += zeroes.length) {
    await write(medium, position + at, zeroes.subarray(0, Math.min(zeroes.length, length - at)))
  }
}

async function transfer(medium: Medium, opcode: number, position: number, bytes: Uint8Array, fua: boolean) {
  const { pool, blockSize } = medium
  const room = pool.frameSize - (pool.frameSize % blockSize)
  const frames: number[] = []
  try {
    const wanted = Math.min(FRAMES, Math.ceil(bytes.length / room))
    while (frames.length < wanted) {
      const frame = pool.allocate()
      if (frame < 0) break
      frames.push(frame)
    }
    if (frames.length === 0 && bytes.length > 0) {
      throw new ParakernelError('ENOBUFS', 'no free frame for a transfer', {
        subject: medium.name,
        remedy: 'Give the lease more frames',
      })
    }
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(frames.length * room, bytes.length - done)
      const each = (visit: (frame: number, at: number, size: number) => void) => {
        for (let i = 0, at = 0; at < length; i++, at += room) visit(frames[i], at, Math.min(room, length - at))
      }
      if (opcode === BLOCK_WRITE) {
        each((frame, at, size) => pool.copyIn(pool.address(frame), bytes, done + at, size))
      }
      const fill = (request: MediumRequest) => {
        request.begin(opcode, position + done, 0, fua)
        each((frame, _at, size) => void request.add(frame, 0, size))
      }
      const status = await submitted(medium, fill, frames.length)
      if (status !== 0) {
        const what = opcode === BLOCK_READ ? 'read' : 'write'
        throw statusError(status, `${what} of ${length} bytes at ${position + done} failed`, medium.name)
      }
      if (opcode === BLOCK_READ) each((frame, at, size) => pool.copyOut(pool.address(frame), size, bytes, done + at))
      done += length
    }
  } finally {
    for (const frame of frames) pool.release(frame)
  }
}
