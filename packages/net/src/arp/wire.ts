/**
 * ARP for IPv4 over Ethernet (RFC 826), 28 bytes.
 *
 *      0      2      4   5   6       8              14            18             24
 *     | hw 1 | 0800 | 6 | 4 | opcode | sender MAC   | sender IPv4 | target MAC   | target IPv4 |
 */
export const LENGTH = 28
export const REQUEST = 1
export const REPLY = 2

export const opcode = (view: DataView, at: number): number => view.getUint16(at + 6)
export const senderHigh = (view: DataView, at: number): number => view.getInt32(at + 8)
export const senderLow = (view: DataView, at: number): number => view.getUint16(at + 12)
export const senderAddress = (view: DataView, at: number): number => view.getInt32(at + 14)
export const targetHigh = (view: DataView, at: number): number => view.getInt32(at + 18)
export const targetLow = (view: DataView, at: number): number => view.getUint16(at + 22)
export const targetAddress = (view: DataView, at: number): number => view.getInt32(at + 24)

/** Whether `length` bytes hold an ARP packet for IPv4 over Ethernet: hardware 1, protocol 0x0800, lengths 6 and 4. */
export function isIpv4OverEthernet(view: DataView, at: number, length: number): boolean {
  return length >= LENGTH && view.getInt32(at) === 0x0001_0800 && view.getUint16(at + 4) === 0x0604
}

/** Writes all 28 bytes. Addresses as int32, MAC addresses as their two parts. */
export function emit(
  view: DataView,
  at: number,
  operation: number,
  senderMacHigh: number,
  senderMacLow: number,
  sender: number,
  targetMacHigh: number,
  targetMacLow: number,
  target: number,
): void {
  view.setInt32(at, 0x0001_0800)
  view.setUint16(at + 4, 0x0604)
  view.setUint16(at + 6, operation)
  view.setInt32(at + 8, senderMacHigh)
  view.setUint16(at + 12, senderMacLow)
  view.setInt32(at + 14, sender)
  view.setInt32(at + 18, targetMacHigh)
  view.setUint16(at + 22, targetMacLow)
  view.setInt32(at + 24, target)
}
