import { crc32c } from '../../format/crc32c.ts'
import { getUint64, setUint64 } from '../../format/header.ts'
import { BLOCK_MAGIC, TYPE_RECORD } from '../layout/constants.ts'
import type { Geometry } from '../layout/geometry.ts'

// A record: this header, the changes of one transaction, zeroes up to whole clusters.
const AT_TYPE = 8
const AT_CLUSTERS = 12
const AT_PAYLOAD = 16
const AT_VOLUME = 24
const AT_EPOCH = 32
const AT_SEQUENCE = 40
export const RECORD_HEADER = 48

export function recordClusters(payload: number, clusterSize: number): number {
  return Math.ceil((RECORD_HEADER + payload) / clusterSize)
}

export function encodeRecord(
  payload: Uint8Array,
  length: number,
  epoch: number,
  sequence: number,
  geometry: Geometry,
): Uint8Array {
  const clusters = recordClusters(length, geometry.clusterSize)
  const bytes = new Uint8Array(clusters * geometry.clusterSize)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, BLOCK_MAGIC, true)
  view.setUint32(AT_TYPE, TYPE_RECORD, true)
  view.setUint32(AT_CLUSTERS, clusters, true)
  view.setUint32(AT_PAYLOAD, length, true)
  bytes.set(geometry.uuid.subarray(0, 8), AT_VOLUME)
  setUint64(view, AT_EPOCH, epoch)
  setUint64(view, AT_SEQUENCE, sequence)
  bytes.set(payload.subarray(0, length), RECORD_HEADER)
  view.setInt32(4, recordChecksum(bytes, length), true)
  return bytes
}

/** Clusters of the record that a cluster begins, 0 when it is not the one that is looked for. */
export function recordLength(
  head: Uint8Array,
  epoch: number,
  sequence: number,
  room: number,
  geometry: Geometry,
): number {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  if (view.getUint32(0, true) !== BLOCK_MAGIC || view.getUint32(AT_TYPE, true) !== TYPE_RECORD) return 0
  if (getUint64(view, AT_EPOCH) !== epoch || getUint64(view, AT_SEQUENCE) !== sequence) return 0
  for (let i = 0; i < 8; i++) if (head[AT_VOLUME + i] !== geometry.uuid[i]) return 0
  const clusters = view.getUint32(AT_CLUSTERS, true)
  if (clusters !== recordClusters(view.getUint32(AT_PAYLOAD, true), geometry.clusterSize)) return 0
  return clusters <= room ? clusters : 0
}

/** The changes in a record, or undefined when it was not written to its end. */
export function recordPayload(bytes: Uint8Array): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getUint32(AT_PAYLOAD, true)
  if (view.getInt32(4, true) !== recordChecksum(bytes, length)) return undefined
  return bytes.subarray(RECORD_HEADER, RECORD_HEADER + length)
}

function recordChecksum(bytes: Uint8Array, payload: number): number {
  return crc32c(bytes, 0, AT_TYPE, RECORD_HEADER - AT_TYPE + payload)
}
