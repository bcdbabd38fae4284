import {
  IORING_REGISTER_BUFFERS,
  IORING_REGISTER_ENABLE_RINGS,
  IORING_REGISTER_EVENTFD,
  IORING_REGISTER_FILES,
  IORING_REGISTER_PROBE,
  IORING_REGISTER_RESTRICTIONS,
  IORING_RESTRICTION_REGISTER_OP,
  IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
  IORING_RESTRICTION_SQE_FLAGS_REQUIRED,
  IORING_RESTRICTION_SQE_OP,
} from './constants.ts'
import { registerIoUring } from './mapped-ring.ts'

/** The longest buffer that the kernel registers in one piece, in bytes. */
export const FIXED_BUFFER_MAX = 0x4000_0000

/** Registers files: entry i of `descriptors` is what `IOSQE_FIXED_FILE` calls fd i. The ring holds them open until it ends. */
export function registerFiles(ring: number, descriptors: readonly number[], subject: string): void {
  const files = Int32Array.from(descriptors)
  registerIoUring(ring, IORING_REGISTER_FILES, files, files.length, { call: 'FILES', subject })
}

/**
 * Registers memory for READ_FIXED and WRITE_FIXED, cut into buffers of `FIXED_BUFFER_MAX` bytes: the byte at `address + n` is in
 * buffer `n / FIXED_BUFFER_MAX`. Its pages are pinned until the ring ends.
 * @throws ENOMEM over the limit of locked memory
 */
export function registerBuffers(ring: number, address: number, byteLength: number, subject: string): void {
  const count = Math.ceil(byteLength / FIXED_BUFFER_MAX)
  const iovecs = new BigUint64Array(count * 2)
  for (let i = 0; i < count; i++) {
    iovecs[i * 2] = BigInt(address + i * FIXED_BUFFER_MAX)
    iovecs[i * 2 + 1] = BigInt(Math.min(FIXED_BUFFER_MAX, byteLength - i * FIXED_BUFFER_MAX))
  }
  registerIoUring(ring, IORING_REGISTER_BUFFERS, iovecs, count, {
    call: 'BUFFERS',
    subject,
    remedy: `Grant CAP_IPC_LOCK, raise the limit of locked memory (ulimit -l ${Math.ceil(byteLength / 1024)}), or use fewer frames`,
  })
}

/** Signals `eventFd` for completions, unless the ring's holder switched that off (`IoUring.signalled`). */
export function registerEventFd(ring: number, eventFd: number, subject: string): void {
  registerIoUring(ring, IORING_REGISTER_EVENTFD, Int32Array.of(eventFd), 1, { call: 'EVENTFD', subject })
}

/** Ends the disabled state of a ring that was made with IORING_SETUP_R_DISABLED; the calling thread becomes its submitter. */
export function enableIoUring(ring: number, subject: string): void {
  registerIoUring(ring, IORING_REGISTER_ENABLE_RINGS, null, 0, { call: 'ENABLE_RINGS', subject })
}

/** What a disabled ring shall still allow once it is enabled. */
export interface IoUringRestrictions {
  /** IORING_OP_*: others fail with EACCES. */
  readonly operations: readonly number[]
  /** IORING_REGISTER_*: none by default. */
  readonly registrations?: readonly number[]
  /** IOSQE_* that may be set, and those that must. */
  readonly allowedFlags: number
  readonly requiredFlags: number
}

/** Bytes of `struct io_uring_restriction`. */
const RESTRICTION_BYTES = 16

/** Restricts a disabled ring; it takes effect when the ring is enabled, and nobody can lift it. */
export function restrictIoUring(ring: number, restrictions: IoUringRestrictions, subject: string): void {
  const { operations, registrations = [], allowedFlags, requiredFlags } = restrictions
  const rows = [
    ...operations.map((operation) => [IORING_RESTRICTION_SQE_OP, operation]),
    ...registrations.map((registration) => [IORING_RESTRICTION_REGISTER_OP, registration]),
    [IORING_RESTRICTION_SQE_FLAGS_ALLOWED, allowedFlags],
    [IORING_RESTRICTION_SQE_FLAGS_REQUIRED, requiredFlags],
  ]
  const view = new DataView(new ArrayBuffer(rows.length * RESTRICTION_BYTES))
  rows.forEach(([kind, value], i) => {
    view.setUint16(i * RESTRICTION_BYTES, kind, true)
    view.setUint8(i * RESTRICTION_BYTES + 2, value)
  })
  registerIoUring(ring, IORING_REGISTER_RESTRICTIONS, view, rows.length, { call: 'RESTRICTIONS', subject })
}

const PROBE_OPERATIONS = 256

/** The operations (IORING_OP_*) that this kernel's rings know. */
export function supportedOperations(ring: number, subject: string): ReadonlySet<number> {
  const bytes = new Uint8Array(16 + PROBE_OPERATIONS * 8)
  registerIoUring(ring, IORING_REGISTER_PROBE, bytes, PROBE_OPERATIONS, { call: 'PROBE', subject })
  const view = new DataView(bytes.buffer)
  const supported = new Set<number>()
  for (let i = 0; i <= bytes[0]; i++) {
    if ((view.getUint16(16 + i * 8 + 2, true) & 1) !== 0) supported.add(view.getUint8(16 + i * 8))
  }
  return supported
}
