/** One event of the Trace Event Format, as Perfetto and chrome://tracing read it. Times are microseconds. */
export interface ChromeEvent {
  readonly name: string
  readonly cat?: string
  /** Slice, instant, metadata, counter, begin and end of something asynchronous. */
  readonly ph: 'X' | 'i' | 'M' | 'C' | 'b' | 'e'
  readonly ts: number
  readonly dur?: number
  readonly pid: number
  readonly tid: number
  readonly s?: 't'
  /** Of an asynchronous pair. */
  readonly id?: string
  readonly args?: Readonly<Record<string, string | number>>
}

/** A device that keeps a trace of its queues: itself the one process, each queue a thread, times on the monotonic clock. */
export interface Traced {
  trace(): { readonly traceEvents: readonly ChromeEvent[] }
}
