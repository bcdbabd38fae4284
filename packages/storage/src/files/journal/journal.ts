import type { MetadataWriter } from '../io/media.ts'
import type { Task } from '../io/task.ts'
import type { Geometry } from '../layout/geometry.ts'
import { encodeRecord, recordClusters } from './record.ts'

/**
 * The metadata journal: records one behind the other from the start of a run of clusters, each numbered and checksummed as a whole, so
 * that a record that was torn is none. When it is full, a checkpoint has everything written home, and it begins anew: what
 * it had before carries numbers that nobody looks for any more.
 */
export class Journal {
  /** Of the next record, in clusters from the start. */
  position = 0
  sequence: number
  readonly epoch: number
  records = 0
  bytesWritten = 0
  readonly #writer: MetadataWriter
  readonly #geometry: Geometry

  constructor(writer: MetadataWriter, geometry: Geometry, epoch: number, sequence: number) {
    this.#writer = writer
    this.#geometry = geometry
    this.epoch = epoch
    this.sequence = sequence
  }

  /** Whether a record of so many bytes finds room without a checkpoint. */
  fits(payload: number): boolean {
    const { clusterSize, journalClusters } = this.#geometry
    return this.position + recordClusters(payload, clusterSize) <= journalClusters
  }

  /** Writes a record; ends when it is durable. @throws what the media does */
  *append(payload: Uint8Array, length: number): Task<void> {
    const { clusterSize, journal } = this.#geometry
    const bytes = encodeRecord(payload, length, this.epoch, this.sequence, this.#geometry)
    yield* this.#writer.write(journal + this.position, bytes, true)
    this.position += bytes.length / clusterSize
    this.sequence++
    this.records++
    this.bytesWritten += bytes.length
  }

  /** A durable checkpoint says that the next record is the first. */
  reset(): void {
    this.position = 0
  }
}
