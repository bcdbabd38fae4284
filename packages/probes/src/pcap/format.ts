/** Nanosecond-precision pcap, written little-endian (draft-ietf-opsawg-pcap, sections 4 and 5). */
const MAGIC_NANOSECONDS = 0xa1b23c4d
const LINKTYPE_ETHERNET = 1
export const RECORD_HEADER = 16

export function fileHeader(snapLength: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(24))
  header.setUint32(0, MAGIC_NANOSECONDS, true)
  header.setUint16(4, 2, true)
  header.setUint16(6, 4, true)
  header.setUint32(16, snapLength, true)
  header.setUint32(20, LINKTYPE_ETHERNET, true)
  return new Uint8Array(header.buffer)
}
