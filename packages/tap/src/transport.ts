/** What a grant carries for TAP. */
export interface TapTransport {
  /** Tells the grants of a device apart. */
  readonly id: number
  /** Descriptors and addresses mean something only in this process. */
  readonly processId: number
  /**
   * The holder's own descriptor of the queue. When the grant ends it becomes a placeholder that reads as empty; the number is
   * never another object's while the holder may use it.
   */
  readonly descriptor: number
  /** Shared memory of a `FilterTable`. */
  readonly filter: SharedArrayBuffer
  /** One shared word: the holder looks at the descriptor no more. */
  readonly released: SharedArrayBuffer
}

export const RELEASED_BYTES = 4
