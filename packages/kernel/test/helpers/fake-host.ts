import type { Host, Poller } from '@parakernel/hal'

const SEQUENCE = 0
const NEXT_FD = 1
const FIRST_FD = 2

/** A host whose only means are eventfds and poll(2), played with Atomics on memory that threads share. */
export function fakeHost(buffer: SharedArrayBuffer): Host {
  const words = new Int32Array(buffer)
  const no = () => {
    throw new Error('not played here')
  }
  return {
    name: 'fake',
    createRegion: no,
    mapRegion: no,
    closeRegion: no,
    adviseHugePages() {},
    cpus: () => [0],
    pinThread: no,
    createEventFd: () => Math.max(FIRST_FD, Atomics.add(words, NEXT_FD, 1) + FIRST_FD),
    writeEventFd(fd) {
      Atomics.store(words, fd, 1)
      Atomics.add(words, SEQUENCE, 1)
      Atomics.notify(words, SEQUENCE)
    },
    readEventFd: (fd) => Atomics.exchange(words, fd, 0) === 1,
    closeFd() {},
    watch: () => undefined,
    createPoller: (fds): Poller => ({
      wait(nanoseconds) {
        const sequence = Atomics.load(words, SEQUENCE)
        const ready = () => fds.filter((fd) => Atomics.load(words, fd) === 1).length
        if (ready() === 0) Atomics.wait(words, SEQUENCE, sequence, nanoseconds / 1e6)
        return ready()
      },
      close() {},
    }),
  }
}

export const FAKE_HOST_BYTES = 1024
