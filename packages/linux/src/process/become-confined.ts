import type { ConfinedProgram } from '@parakernel/hal'
import { systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'
import { forbidChildren } from './no-children.ts'
import { dropRights } from './rights.ts'

const CLOSE_RANGE_CLOEXEC = 1 << 2
const F_SETFD = 2
const LAST_DESCRIPTOR = 0xffff_ffff

/**
 * Gives up every right that is not in `program`, checks that they are gone, and becomes that program. Most rights are a thread's own, and
 * Node has several threads: only by running a program anew, which has one thread, does the whole process lose them.
 * Neither can it start processes, which would outlive it with its descriptors.
 */
export function becomeConfined({ file, args, environment, descriptors, user, parent }: ConfinedProgram): never {
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  // Both are kept in sight until the kernel has read them.
  const lists = [stringList([file, ...args]), stringList(variables)]
  dropRights(user, parent)
  forbidChildren()
  for (let fd = 0; fd < descriptors; fd++) calls().fcntl(fd, F_SETFD, 0)
  if (calls().close_range(descriptors, LAST_DESCRIPTOR, CLOSE_RANGE_CLOEXEC) < 0) {
    throw systemError(foreign().errno(), { call: 'close_range', subject: `descriptors from ${descriptors}` })
  }
  calls().execve(file, lists[0].pointers, lists[1].pointers)
  throw systemError(foreign().errno(), {
    call: 'execve',
    subject: file,
    remedy: 'Let the user of the partition read and run it, and the folders above it',
  })
}

/** A `char *[]` that ends with a null. */
function stringList(strings: readonly string[]): { pointers: BigUint64Array; bytes: readonly Uint8Array[] } {
  const bytes = strings.map((text) => new TextEncoder().encode(`${text}\0`))
  const pointers = new BigUint64Array(bytes.length + 1)
  for (const [i, one] of bytes.entries()) pointers[i] = BigInt(foreign().addressOf(one))
  return { pointers, bytes }
}
