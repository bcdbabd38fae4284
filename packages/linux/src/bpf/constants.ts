/** Numbers of linux/bpf.h. */

export const BPF_MAP_CREATE = 0
export const BPF_MAP_LOOKUP_ELEM = 1
export const BPF_MAP_UPDATE_ELEM = 2
export const BPF_MAP_DELETE_ELEM = 3
export const BPF_PROG_LOAD = 5
export const BPF_PROG_TEST_RUN = 10
export const BPF_PROG_GET_FD_BY_ID = 13
export const BPF_MAP_GET_FD_BY_ID = 14
export const BPF_OBJ_GET_INFO_BY_FD = 15
export const BPF_LINK_CREATE = 28
export const BPF_LINK_UPDATE = 29
export const BPF_LINK_GET_FD_BY_ID = 30
export const BPF_LINK_GET_NEXT_ID = 31

export const BPF_MAP_TYPE_ARRAY = 2
export const BPF_MAP_TYPE_XSKMAP = 17

/** An array whose values a process maps: it and the program then share memory, without a system call. */
export const BPF_F_MMAPABLE = 1 << 10

export const BPF_PROG_TYPE_SOCKET_FILTER = 1
export const BPF_PROG_TYPE_SCHED_CLS = 3
export const BPF_PROG_TYPE_XDP = 6

/** Attach types. */
export const BPF_XDP = 37
export const BPF_TCX_INGRESS = 46
export const BPF_TCX_EGRESS = 47

export const BPF_LINK_TYPE_XDP = 6

/** linux/if_link.h: which hook an XDP link takes. */
export const XDP_FLAGS_SKB_MODE = 1 << 1
export const XDP_FLAGS_DRV_MODE = 1 << 2

/** Verdicts of an XDP program. */
export const XDP_ABORTED = 0
export const XDP_DROP = 1
export const XDP_PASS = 2
export const XDP_TX = 3
export const XDP_REDIRECT = 4

/** Verdict of a tcx program: let the next program, or the kernel, decide. */
export const TCX_NEXT = -1

export const BPF_FUNC_SKB_LOAD_BYTES = 26
export const BPF_FUNC_REDIRECT_MAP = 51
