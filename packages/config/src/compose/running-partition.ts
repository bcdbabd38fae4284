/** A started partition, in a worker or in this thread. */
export interface RunningPartition {
  readonly name: string
  call(method: string, args: readonly unknown[]): Promise<unknown>
  /** Ends it in order: its own `stop`, its network, its queues. */
  stop(): Promise<void>
  /** Resolves when it has ended, with the error when it ended by itself. Never rejects. */
  readonly exited: Promise<Error | undefined>
}
