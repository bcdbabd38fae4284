/** What a client calls with each datagram that arrives; the bytes are valid during the call. */
export type DatagramReceiver = (view: DataView, bytes: Uint8Array, at: number, length: number) => void

/**
 * How a client reaches a server's partitions. Two implementations: kernel sockets (`DgramTransport`) and a libOS
 * (`LibOSTransport`). Datagrams may be lost, doubled and reordered.
 */
export interface ClientTransport {
  /** Bytes of a request datagram at most. */
  readonly maxPayload: number
  /** Nanoseconds, monotonic. */
  now(): number
  /** Starts receiving. Called once. */
  start(receive: DatagramReceiver): void
  /**
   * Queues a datagram for `partition`. The bytes must not change before the reply (or for as long as a send may take); what
   * cannot be queued is dropped and counted, as the network may drop it too. `flush` sends what was queued.
   */
  send(bytes: Uint8Array, at: number, length: number, partition: number): void
  flush(): void
  /** Calls `task` about every `milliseconds`, without keeping the process alive; returns the way to stop. */
  every(milliseconds: number, task: () => void): () => void
  /** Datagrams that could not be sent. */
  readonly sendDrops: number
  close(): Promise<void>
}
