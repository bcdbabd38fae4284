import { execFileSync } from 'node:child_process'
import { afterEach, expect, test } from 'vitest'
import {
  addMembership,
  closeDescriptors,
  createVethPair,
  dropMembership,
  openMembershipSocket,
  queryLink,
  type VethPair,
} from '../src/index.ts'
import { requiresLab } from './requirements.ts'

const GROUP = Uint8Array.of(1, 0, 0x5e, 9, 8, 7)
const OTHER = Uint8Array.of(0x33, 0x33, 0, 0, 0, 9)

let pair: VethPair | undefined
afterEach(() => {
  pair?.remove()
})

test('memberships are counted, tell the interface, and end with the socket', (context) => {
  requiresLab(context)
  pair = createVethPair({ label: 'mbr' })
  const name = pair.interface
  const { index } = queryLink(name)
  const groups = () => execFileSync('ip', ['maddr', 'show', name], { encoding: 'utf8' })
  const state = () => execFileSync('ip', ['-d', 'link', 'show', name], { encoding: 'utf8' })
  const socket = openMembershipSocket(name)
  addMembership(socket, index, GROUP)
  addMembership(socket, index, GROUP)
  addMembership(socket, index, OTHER)
  addMembership(socket, index, 'promiscuous')
  addMembership(socket, index, 'all-multicast')
  expect(groups()).toContain('01:00:5e:09:08:07')
  expect(groups()).toContain('33:33:00:00:00:09')
  expect(state()).toMatch(/promiscuity 1 +allmulti 1/)
  dropMembership(socket, index, GROUP)
  expect(groups()).toContain('01:00:5e:09:08:07')
  dropMembership(socket, index, GROUP)
  expect(groups()).not.toContain('01:00:5e:09:08:07')
  // Not there any more: nothing to report.
  dropMembership(socket, index, GROUP)
  closeDescriptors(socket)
  expect(groups()).not.toContain('33:33:00:00:00:09')
  expect(state()).toMatch(/promiscuity 0 +allmulti 0/)
})

test('an interface that is gone has none, and a socket that is none is an error', (context) => {
  requiresLab(context)
  const socket = openMembershipSocket('test')
  expect(() => addMembership(socket, 0x7fff_0000, GROUP)).not.toThrow()
  closeDescriptors(socket)
  expect(() => dropMembership(-1, 1, GROUP)).not.toThrow()
  expect(() => addMembership(-1, 1, GROUP)).toThrow(expect.objectContaining({ code: 'EBADF' }))
})
