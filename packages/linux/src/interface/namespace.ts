import { closeSync, openSync } from 'node:fs'
import { ParakernelError } from '@parakernel/hal'
import { check } from '../errno.ts'
import { calls } from '../ffi/calls.ts'

const CLONE_NEWNET = 0x4000_0000

/**
 * Runs `body` with this thread inside the network namespace that `ip netns add NAME` made, and comes back. Sockets that
 * `body` opens stay in that namespace. `body` must be synchronous: nothing else may run on the thread in between.
 * Throws ENOENT when there is no such namespace, EPERM without CAP_SYS_ADMIN.
 */
export function inNamespace<T>(name: string, body: () => T): T {
  const subject = `network namespace ${name}`
  const home = openSync('/proc/thread-self/ns/net', 'r')
  try {
    let there: number
    try {
      there = openSync(`/run/netns/${name}`, 'r')
    } catch (cause) {
      throw new ParakernelError('ENOENT', 'no such network namespace', {
        subject,
        remedy: 'List them with: ip netns',
        cause,
      })
    }
    try {
      check(calls().setns(there, CLONE_NEWNET), { call: 'setns', subject })
    } finally {
      closeSync(there)
    }
    try {
      return body()
    } finally {
      check(calls().setns(home, CLONE_NEWNET), { call: 'setns', subject: 'the home network namespace' })
    }
  } finally {
    closeSync(home)
  }
}
