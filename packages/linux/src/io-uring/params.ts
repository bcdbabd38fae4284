/** `struct io_uring_params`: 40 bytes of numbers, then the offsets of the submission and of the completion ring, 40 each. */
export const IO_URING_PARAMS_BYTES = 120

export interface IoUringRequest {
  readonly entries: number
  /** Completions that the ring holds; twice `entries` when absent. */
  readonly completionEntries?: number
  /** IORING_SETUP_*. */
  readonly flags?: number
  /** Milliseconds that the kernel's submission thread spins before it sleeps, with IORING_SETUP_SQPOLL. */
  readonly submissionIdle?: number
  /** CPU of that thread, with IORING_SETUP_SQ_AFF. */
  readonly submissionCpu?: number
}

/** Where a ring's words lie, in bytes from the start of the mapping. */
export interface IoUringOffsets {
  readonly head: number
  readonly tail: number
  readonly flags: number
  /** The index array of a submission ring, the entries of a completion ring. */
  readonly entries: number
}

export interface IoUringParams {
  readonly submissionEntries: number
  readonly completionEntries: number
  readonly flags: number
  readonly features: number
  readonly submission: IoUringOffsets
  readonly completion: IoUringOffsets
}

export function encodeParams(request: IoUringRequest, flags: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(IO_URING_PARAMS_BYTES))
  view.setUint32(4, request.completionEntries ?? 0, true)
  view.setUint32(8, flags, true)
  view.setUint32(12, request.submissionCpu ?? 0, true)
  view.setUint32(16, request.submissionIdle ?? 0, true)
  return new Uint8Array(view.buffer)
}

export function decodeParams(bytes: Uint8Array): IoUringParams {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  const word = (at: number) => view.getUint32(at, true)
  return {
    submissionEntries: word(0),
    completionEntries: word(4),
    flags: word(8),
    features: word(20),
    submission: { head: word(40), tail: word(44), flags: word(56), entries: word(64) },
    completion: { head: word(80), tail: word(84), flags: word(104), entries: word(100) },
  }
}
