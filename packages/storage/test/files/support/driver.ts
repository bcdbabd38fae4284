import type { FramePool } from '@parakernel/hal'
import { errorCodeOf, FileOperation, type Volume, type VolumeFile } from '../../../src/files/index.ts'

/** Plain bytes in and out of files, through frames of the pool. */
export class Driver {
  readonly volume: Volume
  readonly pool: FramePool

  constructor(volume: Volume, pool: FramePool) {
    this.volume = volume
    this.pool = pool
  }

  write(file: VolumeFile, position: number, bytes: Uint8Array): Promise<void> {
    return this.#data(file, 'write', position, bytes.length, bytes).then(() => {})
  }

  read(file: VolumeFile, position: number, length: number): Promise<Uint8Array> {
    return this.#data(file, 'read', position, length)
  }

  truncate(file: VolumeFile, length: number): Promise<void> {
    return this.run((operation) => file.truncate(operation.begin(length)))
  }

  punch(file: VolumeFile, position: number, length: number): Promise<void> {
    return this.run((operation) => file.punchHole(operation.begin(position, length)))
  }

  fsync(file: VolumeFile): Promise<void> {
    return this.run((operation) => file.sync(operation.begin(0)))
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.volume.sync((status) => (status === 0 ? resolve() : reject(failure(status))))
    })
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    const file = this.volume.open(path, { write: true, create: true, truncate: true })
    await this.write(file, 0, bytes)
    file.close()
  }

  async get(path: string): Promise<Uint8Array> {
    const file = this.volume.open(path)
    const bytes = await this.read(file, 0, file.size)
    file.close()
    return bytes
  }

  run(start: (operation: FileOperation) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      start(new FileOperation(({ status }) => (status === 0 ? resolve() : reject(failure(status)))))
    })
  }

  #data(file: VolumeFile, what: 'read' | 'write', position: number, length: number, bytes?: Uint8Array) {
    const { pool } = this
    return new Promise<Uint8Array>((resolve, reject) => {
      const frames: number[] = []
      const operation = new FileOperation((done) => {
        const { transferred } = done
        const result = new Uint8Array(what === 'read' ? transferred : 0)
        for (let at = 0, i = 0; at < result.length; at += pool.frameSize, i++) {
          pool.copyOut(pool.address(frames[i]), Math.min(pool.frameSize, result.length - at), result, at)
        }
        for (const frame of frames) pool.release(frame)
        if (done.status === 0) resolve(result)
        else reject(failure(done.status))
      })
      operation.begin(position)
      for (let at = 0; at < length; at += pool.frameSize) {
        const frame = pool.allocate()
        if (frame < 0) throw new Error('the test has no frames left')
        frames.push(frame)
        const size = Math.min(pool.frameSize, length - at)
        if (bytes !== undefined) pool.copyIn(pool.address(frame), bytes, at, size)
        operation.add(frame, 0, size)
      }
      file[what](operation)
    })
  }
}

export class OperationFailed extends Error {
  readonly code: string
  constructor(status: number) {
    super(`operation failed with ${errorCodeOf(status)}`)
    this.code = errorCodeOf(status)
  }
}

function failure(status: number): OperationFailed {
  return new OperationFailed(status)
}

export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed * 2_654_435_761 + 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    bytes[i] = state >>> 24
  }
  return bytes
}
