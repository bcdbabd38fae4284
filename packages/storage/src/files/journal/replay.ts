import { read } from '../../medium/awaitable.ts'
import type { Medium } from '../../medium/medium.ts'
import { ROOT } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'
import { Overlay } from '../meta/delta.ts'
import { recordLength, recordPayload } from './record.ts'

export interface Replayed {
  readonly overlay: Overlay
  readonly records: number
  /** That the next record would have. */
  readonly sequence: number
}

/** Journals up to so many bytes are read at once. */
const WHOLE = 1 << 18

/** Reads the records behind a checkpoint, up to the first that is not there or not whole. Writes nothing. */
export async function replay(medium: Medium, geometry: Geometry, epoch: number, sequence: number): Promise<Replayed> {
  const { clusterSize, journal, journalClusters, clusters } = geometry
  const whole =
    journalClusters * clusterSize <= WHOLE
      ? await read(medium, journal * clusterSize, journalClusters * clusterSize)
      : undefined
  const fetch = async (at: number, count: number): Promise<Uint8Array> =>
    whole?.subarray(at * clusterSize, (at + count) * clusterSize) ??
    (await read(medium, (journal + at) * clusterSize, count * clusterSize))
  const overlay = new Overlay()
  let records = 0
  let position = 0
  while (position < journalClusters) {
    const head = await fetch(position, 1)
    const length = recordLength(head, epoch, sequence + records, journalClusters - position, geometry)
    const payload = length === 0 ? undefined : recordPayload(length === 1 ? head : await fetch(position, length))
    if (payload === undefined || !overlay.take(payload, clusterSize, clusters, ROOT)) break
    records++
    position += length
  }
  return { overlay, records, sequence: sequence + records }
}
