export const DEFAULT_DEPTH = 64
export const DEFAULT_QUEUES = 4

export interface PassthroughOptions {
  /** The character device of a namespace: `/dev/ng0n1`. */
  readonly path: string
  /** Queues that may be granted, each a ring of its own over the queues of the kernel's driver. Default 4. */
  readonly queues?: number
  /** Commands of one queue that may be under way, a power of two. Default 64. */
  readonly queueDepth?: number
}
