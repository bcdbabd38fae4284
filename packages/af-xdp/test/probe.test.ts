import { MonotonicClock } from '@parakernel/hal'
import { EAFNOSUPPORT, EPERM } from '@parakernel/linux'
import { describe, expect, it, vi } from 'vitest'
import { backend } from '../src/index.ts'

const failing = vi.hoisted(() => ({ errno: 0 }))

// A kernel that refuses the socket, which root's never does.
vi.mock('@parakernel/linux', async (original) => ({
  ...(await original<typeof import('@parakernel/linux')>()),
  calls: () => ({ socket: () => -1 }),
  foreign: () => ({ errno: () => failing.errno }),
}))

describe('what a machine lacks', () => {
  // The caller puts it into a sentence with a code and a remedy of its own.
  it.each([
    [EPERM, 'no permission to open an XDP socket', /^Run as root/],
    [EAFNOSUPPORT, 'this kernel has no XDP sockets', /^Use a kernel/],
  ])('is a phrase (errno %i)', (errno, missing, remedy) => {
    failing.errno = errno
    expect(backend.probe({ clock: new MonotonicClock(), warn: () => {} })).toEqual({
      available: false,
      missing,
      remedy: expect.stringMatching(remedy),
    })
  })
})
