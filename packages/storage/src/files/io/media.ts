import { BLOCK_FLUSH, BLOCK_WRITE } from '@parakernel/hal'
import { statusError } from '../../medium/errno.ts'
import type { Medium } from '../../medium/medium.ts'
import { MediumRequest } from '../../medium/request.ts'
import { ClusterBuffers } from './buffers.ts'
import type { Suspend, Task } from './task.ts'

/** Clusters that journal and checkpoint have for themselves. */
const OWN_BUFFERS = 16

/** A request that a task waits for: `yield request.submitted`. */
export class TaskRequest extends MediumRequest {
  readonly submitted: Suspend
  #resume: (() => void) | undefined

  constructor(medium: Medium, segments: number) {
    super((request) => {
      const own = request as TaskRequest
      const resume = own.#resume
      own.#resume = undefined
      resume?.()
    }, segments)
    this.submitted = (resume) => {
      this.#resume = resume
      medium.submit(this)
    }
  }
}

/**
 * Writes of metadata: through buffers that nobody else takes, so that a commit needs nothing of what the application or the cache
 * may have used up. One task at a time.
 */
export class MetadataWriter {
  readonly #medium: Medium
  readonly #buffers: ClusterBuffers
  readonly #request: TaskRequest

  constructor(medium: Medium, clusterSize: number) {
    this.#medium = medium
    this.#buffers = new ClusterBuffers(medium, clusterSize, OWN_BUFFERS, 1)
    this.#request = new TaskRequest(medium, this.#buffers.count * this.#buffers.pieces)
  }

  /** Writes whole clusters. With `fua` they are durable when it ends. @throws EIO and what else ends a request */
  *write(cluster: number, bytes: Uint8Array, fua: boolean): Task<void> {
    const { clusterSize, count } = this.#buffers
    for (let done = 0; done < bytes.length; done += count * clusterSize) {
      const part = Math.min(count, (bytes.length - done) / clusterSize)
      const request = this.#request.begin(BLOCK_WRITE, cluster * clusterSize + done, 0, fua)
      for (let i = 0; i < part; i++) {
        this.#buffers.load(i, bytes, done + i * clusterSize)
        this.#buffers.addTo(request, i)
      }
      yield request.submitted
      this.#check('write of metadata')
    }
  }

  /** @throws as `write` */
  *flush(): Task<void> {
    this.#request.begin(BLOCK_FLUSH, 0)
    yield this.#request.submitted
    this.#check('flush')
  }

  close(): void {
    this.#buffers.close()
  }

  #check(what: string): void {
    const { status, position } = this.#request
    if (status !== 0) throw statusError(status, `${what} at ${position} failed`, this.#medium.name)
  }
}
