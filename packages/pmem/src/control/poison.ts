import { type FileExtent, fileExtents } from '@parakernel/linux'
import { badRanges, blockDeviceFolder } from './block-device.ts'
import type { OpenFile } from './open-file.ts'

/**
 * Ranges of the file that lie on bad blocks of its device: pairs of offset and length in bytes, ascending. A load from one
 * of them is SIGBUS, which cannot be caught.
 */
export function poisonedRanges(file: OpenFile, sysfs?: string): number[] {
  const folder = blockDeviceFolder(file.device, sysfs)
  if (folder === undefined) return []
  const bad = badRanges(folder)
  return bad.length === 0 ? [] : mapBadRanges(bad, fileExtents(file.fd, file.byteLength, file.path), file.byteLength)
}

/** The ranges of the device as ranges of the file, cut to its first `byteLength` bytes; neighbours are joined. */
export function mapBadRanges(bad: readonly number[], extents: readonly FileExtent[], byteLength: number): number[] {
  const found: { from: number; to: number }[] = []
  for (const { logical, physical, length } of extents) {
    for (let i = 0; i < bad.length; i += 2) {
      const from = Math.max(bad[i], physical)
      const to = Math.min(bad[i] + bad[i + 1], physical + length)
      const end = Math.min(to - physical + logical, byteLength)
      if (from < to && from - physical + logical < end) found.push({ from: from - physical + logical, to: end })
    }
  }
  found.sort((a, b) => a.from - b.from)
  const ranges: number[] = []
  for (const { from, to } of found) {
    const last = ranges.length - 2
    if (last >= 0 && from <= ranges[last] + ranges[last + 1]) {
      ranges[last + 1] = Math.max(ranges[last + 1], to - ranges[last])
    } else ranges.push(from, to - from)
  }
  return ranges
}
