/** linux/io_uring.h: IORING_SETUP_*. */
export const IORING_SETUP_IOPOLL = 1 << 0
export const IORING_SETUP_SQPOLL = 1 << 1
export const IORING_SETUP_SQ_AFF = 1 << 2
export const IORING_SETUP_CQSIZE = 1 << 3
/** Made disabled: restrictions and registrations first, then IORING_REGISTER_ENABLE_RINGS. Linux 5.10. */
export const IORING_SETUP_R_DISABLED = 1 << 6
export const IORING_SETUP_SUBMIT_ALL = 1 << 7
export const IORING_SETUP_COOP_TASKRUN = 1 << 8
/** Shows in the submission ring's flags that completions wait for an enter. Linux 5.19. */
export const IORING_SETUP_TASKRUN_FLAG = 1 << 9
/** Entries of 128 bytes, for commands with 80 bytes of their own. */
export const IORING_SETUP_SQE128 = 1 << 10
/** Completions of 32 bytes. */
export const IORING_SETUP_CQE32 = 1 << 11
/** One thread submits: the one that made the ring, or that enabled a disabled one. Linux 6.0. */
export const IORING_SETUP_SINGLE_ISSUER = 1 << 12
/** Completions are posted when that thread enters, and never interrupt it. Linux 6.1. */
export const IORING_SETUP_DEFER_TASKRUN = 1 << 13

export const IORING_FEAT_SINGLE_MMAP = 1 << 0
export const IORING_FEAT_NODROP = 1 << 1

export const IORING_ENTER_GETEVENTS = 1 << 0
export const IORING_ENTER_SQ_WAKEUP = 1 << 1

/** Flags word of the submission ring, written by the kernel. */
export const IORING_SQ_NEED_WAKEUP = 1 << 0
export const IORING_SQ_CQ_OVERFLOW = 1 << 1
export const IORING_SQ_TASKRUN = 1 << 2
/** Flags word of the completion ring, written by the holder. */
export const IORING_CQ_EVENTFD_DISABLED = 1 << 0

export const IORING_OFF_SQ_RING = 0
export const IORING_OFF_CQ_RING = 0x800_0000
export const IORING_OFF_SQES = 0x1000_0000

export const IORING_REGISTER_BUFFERS = 0
export const IORING_REGISTER_FILES = 2
export const IORING_REGISTER_EVENTFD = 4
export const IORING_REGISTER_PROBE = 8
export const IORING_REGISTER_RESTRICTIONS = 11
export const IORING_REGISTER_ENABLE_RINGS = 12

export const IORING_RESTRICTION_REGISTER_OP = 0
export const IORING_RESTRICTION_SQE_OP = 1
export const IORING_RESTRICTION_SQE_FLAGS_ALLOWED = 2
export const IORING_RESTRICTION_SQE_FLAGS_REQUIRED = 3

export const IORING_OP_NOP = 0
export const IORING_OP_READV = 1
export const IORING_OP_WRITEV = 2
export const IORING_OP_FSYNC = 3
export const IORING_OP_READ_FIXED = 4
export const IORING_OP_WRITE_FIXED = 5
export const IORING_OP_FALLOCATE = 17
export const IORING_OP_OPENAT = 18
export const IORING_OP_READ = 22
export const IORING_OP_WRITE = 23
export const IORING_OP_URING_CMD = 46

/** `fd` is an index into the registered files. */
export const IOSQE_FIXED_FILE = 1 << 0

export const IORING_FSYNC_DATASYNC = 1 << 0

/** linux/fs.h, for `rw_flags`. */
export const RWF_DSYNC = 0x02
