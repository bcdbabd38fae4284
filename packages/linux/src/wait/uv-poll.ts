import { isMainThread } from 'node:worker_threads'
import type { Watcher } from '@parakernel/hal'
import { systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

/** uv_handle_type of a `uv_poll_t`; its value is part of libuv's ABI. */
const UV_POLL = 8
const UV_READABLE = 1

/** Handles that libuv still refers to, by address: freed memory under a live one would crash the loop. */
const alive = new Map<number, UvPoll>()

/** C functions that libuv calls with a handle's address; made once, and shared by all watchers. */
let callbacks: { readonly event: bigint; readonly closed: bigint } | undefined

/**
 * Calls `ready` on the main thread's loop, the one that also runs the program's timers and sockets, whenever `fd` is
 * readable: once for each `resume()`. About 5 us from event to call. The watcher does not keep the process alive.
 *
 * Returns undefined in a worker (libuv's loop of a worker cannot be reached safely) and where node hides libuv's symbols.
 */
export function watchDescriptor(fd: number, ready: () => void): Watcher | undefined {
  if (!isMainThread) return undefined
  const uv = uvCalls()
  return uv === undefined ? undefined : new UvPoll(uv, fd, ready)
}

const SYMBOLS = [
  'uv_default_loop',
  'uv_handle_size',
  'uv_poll_init',
  'uv_poll_start',
  'uv_poll_stop',
  'uv_close',
  'uv_unref',
] as const

function uvCalls(): ReturnType<typeof calls> | undefined {
  try {
    const table = calls()
    // Binding is lazy: look at every symbol, so that a missing one is found before a handle exists.
    for (const symbol of SYMBOLS) void table[symbol]
    return table
  } catch {
    return undefined
  }
}

function sharedCallbacks(): { readonly event: bigint; readonly closed: bigint } {
  callbacks ??= {
    event: foreign().callback((handle) => alive.get(handle)?.onEvent()),
    closed: foreign().callback((handle) => void alive.delete(handle)),
  }
  return callbacks
}

class UvPoll implements Watcher {
  readonly #uv: ReturnType<typeof calls>
  readonly #fd: number
  readonly #handle: Uint8Array
  readonly #dispatch: () => void
  #closed = false

  constructor(uv: ReturnType<typeof calls>, fd: number, ready: () => void) {
    this.#uv = uv
    this.#fd = fd
    this.#handle = new Uint8Array(new ArrayBuffer(Number(uv.uv_handle_size(UV_POLL))))
    this.#dispatch = () => {
      if (!this.#closed) ready()
    }
    const status = uv.uv_poll_init(uv.uv_default_loop(), this.#handle, fd)
    if (status < 0) throw systemError(-status, { call: 'uv_poll_init', subject: `descriptor ${fd}` })
    alive.set(foreign().addressOf(this.#handle), this)
    uv.uv_unref(this.#handle)
  }

  resume(): void {
    if (this.#closed) return
    const status = this.#uv.uv_poll_start(this.#handle, UV_READABLE, sharedCallbacks().event)
    if (status < 0) throw systemError(-status, { call: 'uv_poll_start', subject: `descriptor ${this.#fd}` })
  }

  /**
   * Called by libuv, outside Node's own dispatch: promises and nextTick would not run after what is called here. An
   * immediate of the same turn does run inside.
   */
  onEvent(): void {
    this.#uv.uv_poll_stop(this.#handle)
    if (!this.#closed) setImmediate(this.#dispatch)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#uv.uv_poll_stop(this.#handle)
    this.#uv.uv_close(this.#handle, sharedCallbacks().closed)
  }
}
