export interface PcapRecord {
  readonly seconds: number
  readonly nanoseconds: number
  readonly originalLength: number
  readonly bytes: Uint8Array
}

/** Reads a little-endian nanosecond pcap; throws when it is not one, or ends within a record. */
export function readPcap(file: Buffer, withHeader = true): { snapLength: number; records: PcapRecord[] } {
  if (withHeader && (file.readUInt32LE(0) !== 0xa1b23c4d || file.readUInt32LE(20) !== 1)) {
    throw new Error('not a nanosecond Ethernet pcap file')
  }
  const records: PcapRecord[] = []
  let at = 24
  while (at < file.length) {
    const kept = file.readUInt32LE(at + 8)
    if (at + 16 + kept > file.length) throw new Error('the file ends within a record')
    records.push({
      seconds: file.readUInt32LE(at),
      nanoseconds: file.readUInt32LE(at + 4),
      originalLength: file.readUInt32LE(at + 12),
      bytes: new Uint8Array(file.subarray(at + 16, at + 16 + kept)),
    })
    at += 16 + kept
  }
  return { snapLength: file.readUInt32LE(16), records }
}
