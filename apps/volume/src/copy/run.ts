import { createReadStream } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { addAbortSignal, Readable } from 'node:stream'
import { openFile, retryAfterSync, type StorageLibOS } from '@parakernel/queue'
import { isDirectory } from '../commands/names.ts'
import { EXIT, Failure } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { dirname, join } from '../paths.ts'
import type { Terminal } from '../terminal.ts'
import type { CopyPlan, CopySource } from './plan.ts'

/** Bytes that are read at once. */
const PIECE = 256 * 1024

type Pieces = AsyncIterable<Uint8Array>

/**
 * Copies file by file. A file appears under its name when it is whole: until then it has another name beside it, which an end in the
 * midst of it leaves behind (`.copying-...`) when it could not be removed. What was copied is durable when it returns.
 */
export async function copyAll(
  volume: StorageLibOS,
  { steps }: CopyPlan,
  { signal, terminal }: Invocation,
  done: { bytes: number; files: number },
): Promise<void> {
  for (const { from, to, kind } of steps) {
    if (signal.aborted) throw interrupted()
    if (kind === 'directory') {
      await makeDirectory(volume, to)
      continue
    }
    const pieces = counted(piecesOf(volume, from, terminal, signal), signal, done)
    if (to.side === 'volume') await intoVolume(volume, pieces, to.path)
    else await intoHost(pieces, to.path, terminal)
    done.files++
  }
}

async function* counted(pieces: Pieces, signal: AbortSignal, done: { bytes: number }): Pieces {
  try {
    for await (const piece of pieces) {
      if (signal.aborted) throw interrupted()
      yield piece
      done.bytes += piece.byteLength
    }
  } catch (error) {
    // A stream that waited ends with an error of its own.
    throw signal.aborted ? interrupted() : error
  }
}

function piecesOf(volume: StorageLibOS, { side, path }: CopySource, { input }: Terminal, signal: AbortSignal): Pieces {
  if (side === 'volume') return fromVolume(volume, path)
  if (path !== '-') return createReadStream(path, { highWaterMark: PIECE, signal })
  return input instanceof Readable ? addAbortSignal(signal, input) : input
}

function interrupted(): Failure {
  return new Failure(EXIT.interrupted, 'cp: interrupted; what was copied before is there')
}

async function* fromVolume(volume: StorageLibOS, path: string): Pieces {
  await using file = await openFile(volume, path)
  yield* file
}

async function intoVolume(volume: StorageLibOS, pieces: Pieces, path: string): Promise<void> {
  if (isDirectory(volume, path)) throw new Failure(EXIT.failed, `cp: vol:${path} is a directory`)
  const beside = join(dirname(path), `.copying-${process.pid}-${Date.now().toString(36)}`)
  try {
    await using file = await openFile(volume, beside, { write: true, create: true, exclusive: true })
    for await (const piece of pieces) await file.write(piece)
    await retryAfterSync(volume, () => volume.rename(beside, path))
  } catch (error) {
    try {
      volume.unlink(beside)
    } catch {
      // It was never made, or has its name.
    }
    throw error
  }
}

async function intoHost(pieces: Pieces, path: string, terminal: Terminal): Promise<void> {
  if (path === '-') {
    for await (const piece of pieces) await terminal.write(piece)
    return
  }
  const beside = `${path}.copying-${process.pid}`
  try {
    const file = await open(beside, 'wx')
    try {
      for await (const piece of pieces) await file.writeFile(piece)
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

async function makeDirectory(volume: StorageLibOS, { side, path }: CopySource): Promise<void> {
  if (side === 'host') await mkdir(path, { recursive: true })
  else if (!isDirectory(volume, path)) await retryAfterSync(volume, () => volume.mkdir(path))
}
