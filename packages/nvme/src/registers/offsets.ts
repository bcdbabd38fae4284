/** Controller registers: NVMe base specification 2.0, section 3.1.3. Offsets in bytes from the start of BAR 0. */
export const REG_CAP = 0x00
export const REG_VS = 0x08
export const REG_CC = 0x14
export const REG_CSTS = 0x1c
export const REG_AQA = 0x24
export const REG_ASQ = 0x28
export const REG_ACQ = 0x30
export const REG_DOORBELLS = 0x1000

export const CC_ENABLE = 1
/** Bits 15:14: 01b asks for a normal, 10b for an abrupt shutdown. */
export const CC_SHUTDOWN_MASK = 3 << 14
export const CC_SHUTDOWN_NORMAL = 1 << 14
/** Entry sizes as powers of two: submissions of 64 bytes in bits 19:16, completions of 16 in bits 23:20. */
export const CC_ENTRY_SIZES = (6 << 16) | (4 << 20)

export const CSTS_READY = 1
/** Controller fatal status. */
export const CSTS_FATAL = 2
export const CSTS_SHUTDOWN_MASK = 3 << 2
export const CSTS_SHUTDOWN_COMPLETE = 2 << 2
/** What a read gives when nothing answers on the bus. */
export const ALL_ONES = 0xffff_ffff

/** Offset of the tail doorbell of submission queue `queue`; `stride` is CAP.DSTRD. */
export function submissionDoorbell(queue: number, stride: number): number {
  return REG_DOORBELLS + 2 * queue * (4 << stride)
}

/** Offset of the head doorbell of completion queue `queue`. */
export function completionDoorbell(queue: number, stride: number): number {
  return REG_DOORBELLS + (2 * queue + 1) * (4 << stride)
}
