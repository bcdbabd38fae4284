import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

const PR_SET_SECCOMP = 22
const SECCOMP_MODE_FILTER = 2
const RET_ALLOW = 0x7fff_0000
const RET_ERRNO = 0x0005_0000
const EPERM = 1
const ENOSYS = 38
/** Classic BPF: load a word of `struct seccomp_data`, compare, test bits, return. */
const LOAD = 0x20
const JUMP_EQUAL = 0x15
const JUMP_GREATER_OR_EQUAL = 0x35
const JUMP_ANY_BIT = 0x45
const RETURN = 0x06
/** Of `struct seccomp_data`, in bytes. */
const NUMBER = 0
const ARCHITECTURE = 4
const FIRST_ARGUMENT = 16

const CLONE_THREAD = 0x10000
/** The bit of x32, a second table of the same calls. */
const OTHER_TABLE = 0x4000_0000
const CLONE3 = 435
const ARCHITECTURES = {
  x64: { audit: 0xc000_003e, clone: 56, forks: [57, 58] },
  arm64: { audit: 0xc000_00b7, clone: 220, forks: [] },
} as const

/**
 * From now on this thread and what it starts can make threads and run programs, but no process: a process that is killed then takes
 * all with it that it inherited. Needs `PR_SET_NO_NEW_PRIVS`.
 * @throws ENOTSUP where the kernel has no seccomp filters
 */
export function forbidChildren(): void {
  const { audit, clone, forks } = ARCHITECTURES[process.arch as keyof typeof ARCHITECTURES]
  const code: [operation: number, yes: number, no: number, operand: number][] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, RET_ERRNO | EPERM],
    [LOAD, 0, 0, NUMBER],
    [JUMP_GREATER_OR_EQUAL, 0, 1, OTHER_TABLE],
    [RETURN, 0, 0, RET_ERRNO | EPERM],
    // Its flags lie in memory, where a filter cannot look; libc then takes clone.
    [JUMP_EQUAL, 0, 1, CLONE3],
    [RETURN, 0, 0, RET_ERRNO | ENOSYS],
  ]
  for (const number of forks) code.push([JUMP_EQUAL, 0, 1, number], [RETURN, 0, 0, RET_ERRNO | EPERM])
  code.push(
    [JUMP_EQUAL, 0, 3, clone],
    [LOAD, 0, 0, FIRST_ARGUMENT],
    [JUMP_ANY_BIT, 1, 0, CLONE_THREAD],
    [RETURN, 0, 0, RET_ERRNO | EPERM],
    [RETURN, 0, 0, RET_ALLOW],
  )
  const filter = new DataView(new ArrayBuffer(code.length * 8))
  for (const [i, [operation, yes, no, operand]] of code.entries()) {
    filter.setUint16(i * 8, operation, true)
    filter.setUint8(i * 8 + 2, yes)
    filter.setUint8(i * 8 + 3, no)
    filter.setUint32(i * 8 + 4, operand, true)
  }
  // struct sock_fprog
  const program = new DataView(new ArrayBuffer(16))
  program.setUint16(0, code.length, true)
  program.setBigUint64(8, BigInt(foreign().addressOf(filter)), true)
  check(calls().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, foreign().addressOf(program), 0, 0), {
    call: 'prctl(PR_SET_SECCOMP)',
    subject: 'this process',
    remedy: 'Run a kernel with CONFIG_SECCOMP_FILTER',
  })
}
