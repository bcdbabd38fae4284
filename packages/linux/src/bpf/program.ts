import { ParakernelError } from '@parakernel/hal'
import { check, E2BIG, EACCES, EAGAIN, EINVAL, systemError } from '../errno.ts'
import { foreign } from '../ffi/foreign.ts'
import { BpfAttributes, bpf } from './command.ts'
import { BPF_PROG_LOAD, BPF_PROG_TEST_RUN } from './constants.ts'

export interface BpfProgramOptions {
  /** `BPF_PROG_TYPE_*`. */
  readonly type: number
  /** Attach type the program will be used with, where the kernel wants to know at load; 0 otherwise. */
  readonly attachType?: number
  /** Encoded instructions, 8 bytes each (see `BpfAssembler`). */
  readonly code: Uint8Array
  /** At most 15 bytes; shown by bpftool. */
  readonly name: string
}

const LOG_BYTES = 1 << 18
/** Bits of the verifier's log level. */
const LOG_STEPS = 1
const LOG_STATISTICS = 4

/**
 * Verifies and loads a program. Returns its descriptor, which the caller closes.
 * Throws EINVAL with the verifier's log as cause when the kernel rejects the code, EPERM without the capability.
 */
export function loadBpfProgram({ type, attachType = 0, code, name }: BpfProgramOptions): number {
  const license = new TextEncoder().encode('Dual MIT/GPL\0')
  const attributes = () =>
    new BpfAttributes()
      .u32(0, type)
      .u32(4, code.length >> 3)
      .pointer(8, code)
      .pointer(16, license)
      .name(48, name)
      .u32(68, attachType)
  // A signal that arrives while the verifier runs (a child ended, say) stops it with EAGAIN.
  let errno = EAGAIN
  for (let attempt = 0; attempt < 16 && errno === EAGAIN; attempt++) {
    const descriptor = bpf(BPF_PROG_LOAD, attributes())
    if (descriptor >= 0) return descriptor
    errno = foreign().errno()
  }
  const failed = { call: 'bpf(PROG_LOAD)', subject: `bpf program ${name}` }
  if (errno !== EINVAL && errno !== EACCES && errno !== E2BIG) throw systemError(errno, failed)
  // Once more with a log: the verifier's own words are the only useful explanation. EACCES is a verdict of the verifier
  // too, unless the log stays empty; so is E2BIG, for a program with more paths than it walks, whose steps would fill any log.
  const level = errno === E2BIG ? LOG_STATISTICS : LOG_STEPS
  const log = new Uint8Array(LOG_BYTES)
  const again = bpf(BPF_PROG_LOAD, attributes().u32(24, level).u32(28, LOG_BYTES).pointer(32, log))
  if (again >= 0) return again
  const text = new TextDecoder().decode(log.subarray(0, log.indexOf(0)))
  if (text === '') throw systemError(errno, failed)
  throw new ParakernelError('EINVAL', 'the kernel rejects the program', {
    subject: failed.subject,
    cause: new Error(text),
  })
}

/**
 * Runs a loaded program once on a packet, without an interface, and returns its verdict: how programs are tested.
 * XDP sees queue 0 of the loopback interface. Throws EINVAL for packets shorter than an Ethernet header.
 */
export function runBpfProgram(program: number, packet: Uint8Array): number {
  const attributes = new BpfAttributes().u32(0, program).u32(8, packet.length).pointer(16, packet).u32(32, 1)
  check(bpf(BPF_PROG_TEST_RUN, attributes), { call: 'bpf(PROG_TEST_RUN)', subject: `bpf program ${program}` })
  return attributes.read32(4)
}
