/**
 * Every foreign function that this package may call, and why. Nothing else is bound: `calls()` reads this table, and a
 * reviewer or a seccomp policy can be written from it.
 *
 * `syscall` entries have no wrapper in libc and go through syscall(2) with the number of the architecture.
 * Parameters are C types as the FFI names them: `uintptr_t` takes an address as a number, `void *` takes bytes in place.
 */
export const ALLOWED_CALLS = {
  // Memory
  mmap: {
    result: 'uintptr_t',
    parameters: ['uintptr_t', 'size_t', 'int', 'int', 'int', 'int64_t'],
    purpose: 'map AF_XDP rings; lay a memfd or a file under a region',
  },
  munmap: { result: 'int', parameters: ['uintptr_t', 'size_t'], purpose: 'unmap rings' },
  madvise: { result: 'int', parameters: ['uintptr_t', 'size_t', 'int'], purpose: 'huge pages under a region' },
  mprotect: {
    result: 'int',
    parameters: ['uintptr_t', 'size_t', 'int'],
    purpose: 'make the write-back code executable, and no longer writable',
  },
  msync: { result: 'int', parameters: ['uintptr_t', 'size_t', 'int'], purpose: 'write pages of a mapped file back' },
  flock: { result: 'int', parameters: ['int', 'int'], purpose: 'one owner for a mapped file or an image' },
  fallocate: {
    result: 'int',
    parameters: ['int', 'int', 'int64_t', 'int64_t'],
    purpose: 'allocate the blocks of a mapped file or an image before they are written',
  },
  memfd_create: { result: 'int', parameters: ['str', 'uint32_t'], purpose: 'memory that another process can map' },
  fcntl: { result: 'int', parameters: ['int', 'int', 'int'], purpose: 'seal a memfd; close-on-exec of a descriptor' },

  // Sockets: AF_XDP, routing netlink, packet sockets and datagrams of the lab
  socket: { result: 'int', parameters: ['int', 'int', 'int'], purpose: 'AF_XDP, AF_NETLINK, AF_PACKET, AF_INET' },
  bind: { result: 'int', parameters: ['int', 'void *', 'uint32_t'], purpose: 'bind a socket to a queue or a group' },
  connect: { result: 'int', parameters: ['int', 'void *', 'uint32_t'], purpose: 'a lab client with one server' },
  setsockopt: {
    result: 'int',
    parameters: ['int', 'int', 'int', 'void *', 'uint32_t'],
    purpose: 'register a UMEM, size the rings; which groups an interface receives',
  },
  getsockopt: {
    result: 'int',
    parameters: ['int', 'int', 'int', 'void *', 'void *'],
    purpose: 'ring offsets, AF_XDP statistics',
  },
  sendto: {
    result: 'int64_t',
    parameters: ['int', 'void *', 'size_t', 'int', 'void *', 'uint32_t'],
    purpose: 'kick a TX ring; netlink requests',
  },
  recv: { result: 'int64_t', parameters: ['int', 'void *', 'size_t', 'int'], purpose: 'netlink replies and events' },
  recvmsg: {
    result: 'int64_t',
    parameters: ['int', 'void *', 'int'],
    purpose: 'frames of the lab with their VLAN tags',
  },
  sendmmsg: {
    result: 'int',
    parameters: ['int', 'void *', 'uint32_t', 'int'],
    purpose: 'batches of datagrams of a lab client',
  },
  recvmmsg: {
    result: 'int',
    parameters: ['int', 'void *', 'uint32_t', 'int', 'void *'],
    purpose: 'batches of datagrams of a lab client',
  },
  ioctl: {
    result: 'int',
    parameters: ['int', 'ulong', 'void *'],
    purpose:
      'channels and offloads of a NIC; TAP queues; extents of a file; VFIO groups, DMA and interrupts; NVMe identify',
  },
  setns: { result: 'int', parameters: ['int', 'int'], purpose: 'open a socket inside a lab namespace' },

  // TUN and TAP
  open: { result: 'int', parameters: ['str', 'int'], purpose: 'the TUN/TAP driver, once a queue' },
  readv: {
    result: 'int64_t',
    parameters: ['int', 'uintptr_t', 'int'],
    purpose: 'a packet of a TAP queue, into several frames',
  },
  writev: {
    result: 'int64_t',
    parameters: ['int', 'uintptr_t', 'int'],
    purpose: 'a packet to a TAP queue, from several frames',
  },

  // Waiting
  poll: { result: 'int', parameters: ['void *', 'ulong', 'int'], purpose: 'sleep until a descriptor is ready' },
  eventfd: { result: 'int', parameters: ['uint32_t', 'int'], purpose: 'wake a thread or a process' },
  read: { result: 'int64_t', parameters: ['int', 'void *', 'size_t'], purpose: 'drain an eventfd without blocking' },
  write: { result: 'int64_t', parameters: ['int', 'void *', 'size_t'], purpose: 'signal an eventfd' },
  pipe2: { result: 'int', parameters: ['void *', 'int'], purpose: 'notice that the last user of a ring is gone' },
  dup3: { result: 'int', parameters: ['int', 'int', 'int'], purpose: 'put a placeholder in the place of a socket' },
  close: { result: 'int', parameters: ['int'], purpose: 'give a descriptor back' },

  // Giving up rights
  prctl: {
    result: 'int',
    parameters: ['int', 'ulong', 'ulong', 'ulong', 'ulong'],
    purpose: 'empty the capability bounding set, no new privileges, end with the parent, no readers of the memory',
  },
  capset: { result: 'int', parameters: ['void *', 'void *'], purpose: 'give up all capabilities' },
  setgroups: { result: 'int', parameters: ['size_t', 'void *'], purpose: 'leave all supplementary groups' },
  setresgid: { result: 'int', parameters: ['uint32_t', 'uint32_t', 'uint32_t'], purpose: 'become another group' },
  setresuid: { result: 'int', parameters: ['uint32_t', 'uint32_t', 'uint32_t'], purpose: 'become another user' },
  close_range: {
    result: 'int',
    parameters: ['long', 'uint32_t', 'uint32_t', 'uint32_t'],
    syscall: { x64: 436, arm64: 436 },
    purpose: 'hand on no descriptor but those that are meant',
  },
  execve: {
    result: 'int',
    parameters: ['str', 'void *', 'void *'],
    purpose: 'become the program of a partition, with one thread and no rights',
  },

  // Cores
  sched_setaffinity: { result: 'int', parameters: ['int', 'size_t', 'void *'], purpose: 'pin a partition to a core' },
  sched_getaffinity: { result: 'int', parameters: ['int', 'size_t', 'void *'], purpose: 'which cores are allowed' },

  // io_uring
  io_uring_setup: {
    result: 'int',
    parameters: ['long', 'uint32_t', 'void *'],
    syscall: { x64: 425, arm64: 425 },
    purpose: 'make a pair of rings for files, block devices and device commands',
  },
  io_uring_enter: {
    result: 'int',
    parameters: ['long', 'int', 'uint32_t', 'uint32_t', 'uint32_t', 'uintptr_t', 'size_t'],
    syscall: { x64: 426, arm64: 426 },
    purpose: 'submit a burst of commands; have completions posted',
  },
  io_uring_register: {
    result: 'int',
    parameters: ['long', 'int', 'uint32_t', 'void *', 'uint32_t'],
    syscall: { x64: 427, arm64: 427 },
    purpose: 'register files, buffers, an eventfd, restrictions',
  },

  // Files and block devices
  statx: {
    result: 'int',
    parameters: ['int', 'str', 'int', 'uint32_t', 'void *'],
    purpose: 'alignment that direct I/O needs',
  },

  // eBPF
  bpf: {
    result: 'long',
    parameters: ['long', 'int', 'void *', 'uint32_t'],
    syscall: { x64: 321, arm64: 280 },
    purpose: 'maps, programs and links of XDP and tcx',
  },

  // The event loop of the main thread; libuv is exported by the node binary
  uv_default_loop: { result: 'uintptr_t', parameters: [], purpose: 'the loop of the main thread' },
  uv_handle_size: { result: 'size_t', parameters: ['int'], purpose: 'bytes of a uv_poll_t' },
  uv_poll_init: { result: 'int', parameters: ['uintptr_t', 'void *', 'int'], purpose: 'watch a descriptor' },
  uv_poll_start: { result: 'int', parameters: ['void *', 'int', 'void *'], purpose: 'watch a descriptor' },
  uv_poll_stop: { result: 'int', parameters: ['void *'], purpose: 'stop watching' },
  uv_close: { result: 'void', parameters: ['void *', 'void *'], purpose: 'forget the watcher' },
  uv_unref: { result: 'void', parameters: ['void *'], purpose: 'let the process end in spite of the watcher' },
} as const satisfies Record<string, AllowedCall>

/** One row of the table. */
export interface AllowedCall {
  readonly result: string
  readonly parameters: readonly string[]
  /** What the call is needed for. */
  readonly purpose: string
  /** The number by architecture, for calls that go through syscall(2); its first parameter is that number. */
  readonly syscall?: { readonly x64: number; readonly arm64: number }
}

export type AllowedCallName = keyof typeof ALLOWED_CALLS
