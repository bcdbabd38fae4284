import { readFileSync } from 'node:fs'
import { ParakernelError, type ProcessUser } from '@parakernel/hal'
import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'

const PR_SET_PDEATHSIG = 1
const PR_SET_DUMPABLE = 4
const PR_CAPBSET_READ = 23
const PR_CAPBSET_DROP = 24
const PR_SET_NO_NEW_PRIVS = 38
const PR_CAP_AMBIENT = 47
const PR_CAP_AMBIENT_CLEAR_ALL = 4
const SIGKILL = 9
const CAPABILITY_VERSION_3 = 0x2008_0522

/** What /proc tells of a thread's rights. */
export interface Rights {
  /** Real, effective, saved and file system's. */
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly groups: readonly number[]
  /** Whether any capability is inheritable, permitted, effective or ambient. */
  readonly capable: boolean
  /** The bounding set is empty: no program that it runs has any. */
  readonly bounded: boolean
  readonly noNewPrivileges: boolean
}

/** Of the calling thread, by default. */
export function readRights(status = '/proc/thread-self/status'): Rights {
  const text = readFileSync(status, 'latin1')
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(text)?.[1].trim() ?? ''
  const numbers = (name: string) => (field(name) === '' ? [] : field(name).split(/\s+/).map(Number))
  const empty = (name: string) => /^0+$/.test(field(name))
  return {
    uids: numbers('Uid'),
    gids: numbers('Gid'),
    groups: numbers('Groups'),
    capable: !['CapInh', 'CapPrm', 'CapEff', 'CapAmb'].every(empty),
    bounded: empty('CapBnd'),
    noNewPrivileges: field('NoNewPrivs') === '1',
  }
}

/**
 * Gives up every right of the calling thread but those of `user`. The order matters: the bounding set and the groups take capabilities
 * that go with the user, and the signal of the parent's end is forgotten when the user changes.
 * @throws EPERM when one cannot be given up
 */
export function dropRights(user: ProcessUser | undefined, parent: number): void {
  const subject = user === undefined ? 'this process' : `user ${user.uid}`
  const must = (result: number, call: string) =>
    check(result, { call, subject, remedy: 'Run the control plane as root, or name no user' })
  const set = (option: number, value: number, call: string) =>
    must(calls().prctl(option, value, 0, 0, 0), `prctl(${call})`)
  if (user !== undefined) {
    for (let capability = 0; calls().prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
      set(PR_CAPBSET_DROP, capability, 'PR_CAPBSET_DROP')
    }
    must(calls().setgroups(0, null), 'setgroups')
    must(calls().setresgid(user.gid, user.gid, user.gid), 'setresgid')
    must(calls().setresuid(user.uid, user.uid, user.uid), 'setresuid')
  }
  set(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 'PR_CAP_AMBIENT')
  must(calls().capset(Uint32Array.of(CAPABILITY_VERSION_3, 0), new Uint32Array(6)), 'capset')
  set(PR_SET_NO_NEW_PRIVS, 1, 'PR_SET_NO_NEW_PRIVS')
  set(PR_SET_DUMPABLE, 0, 'PR_SET_DUMPABLE')
  endWithParent(parent)
  checkRights(readRights(), user)
}

/** The process's memory is nobody's to read from now on, and it dies with its parent, or has died already. */
export function confirmConfinement({ user, parent }: { user?: ProcessUser; parent: number }): void {
  check(calls().prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), { call: 'prctl(PR_SET_DUMPABLE)', subject: 'this process' })
  endWithParent(parent)
  checkRights(readRights(), user)
}

/** The parent may have ended before the kernel knew that this matters. */
function endWithParent(parent: number): void {
  check(calls().prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), {
    call: 'prctl(PR_SET_PDEATHSIG)',
    subject: 'this process',
  })
  if (process.ppid === parent) return
  throw new ParakernelError('EOWNERDEAD', 'is gone', { subject: `process ${parent}, the control plane` })
}

/** @throws EPERM that names what is left */
function checkRights(rights: Rights, user: ProcessUser | undefined): void {
  const left: string[] = []
  if (rights.capable) left.push('capabilities')
  if (!rights.noNewPrivileges) left.push('the way to new privileges')
  if (user !== undefined) {
    if (!rights.bounded) left.push('the bounding set')
    if (rights.groups.length > 0) left.push('groups')
    if (rights.uids.length !== 4 || rights.uids.some((uid) => uid !== user.uid)) left.push('another user')
    if (rights.gids.length !== 4 || rights.gids.some((gid) => gid !== user.gid)) left.push('another group')
    // Whoever can become root again has given up nothing.
    if (user.uid !== 0 && calls().setresuid(0, 0, 0) === 0) left.push('the way back to root')
  }
  if (left.length === 0) return
  throw new ParakernelError('EPERM', `has not given up ${left.join(', ')}`, { subject: 'this process' })
}
