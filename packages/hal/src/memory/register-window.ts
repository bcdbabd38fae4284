/**
 * The registers of a device, as its driver sees them: a PCI BAR mapped into the process, a device model behind a socket, or
 * one in this process. Little-endian; offsets in bytes, multiples of the width. None of the calls blocks.
 */
export interface RegisterWindow {
  readonly byteLength: number
  /** An unsigned 32-bit register. All ones from a device that is gone. */
  read32(offset: number): number
  /** A plain store, which is not reordered before earlier stores to memory that the device reads. */
  write32(offset: number, value: number): void
}

/** A 64-bit register as two 32-bit accesses, low half first; exact below 2^53. */
export function read64(window: RegisterWindow, offset: number): number {
  const low = window.read32(offset)
  return window.read32(offset + 4) * 0x1_0000_0000 + low
}

/** Low half first, as NVM Express asks of those that access by halves (NVMe base specification 2.0, section 3.1.1). */
export function write64(window: RegisterWindow, offset: number, value: number): void {
  window.write32(offset, value % 0x1_0000_0000)
  window.write32(offset + 4, Math.floor(value / 0x1_0000_0000))
}
