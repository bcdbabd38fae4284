import { isMainThread } from 'node:worker_threads'
import type { Watcher } from '@parakernel/hal'
import { systemError } from '../errno.ts'
import { calls } from '../ffi/calls.ts'
import { foreign } from '../ffi/foreign.ts'

/** uv_handle_type of a `uv_poll_t`; its value is part of libuv's ABI. */
const UV_POLL = 8
const UV_READABLE = 1

/** What libuv still refers to: freed memory under a live handle would crash the loop. */
const alive = new Set<object>()

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

class UvPoll implements Watcher {
  readonly #uv: ReturnType<typeof calls>
  readonly #fd: number
  readonly #handle: Uint8Array
  readonly #onEvent: bigint
  readonly #onClose: bigint
  #closed = false

  constructor(uv: ReturnType<typeof calls>, fd: number, ready: () => void) {
    this.#uv = uv
    this.#fd = fd
    this.#handle = new Uint8Array(new ArrayBuffer(Number(uv.uv_handle_size(UV_POLL))))
    const status = uv.uv_poll_init(uv.uv_default_loop(), this.#handle, fd)
    if (status < 0) throw systemError(-status, { call: 'uv_poll_init', subject: `descriptor ${fd}` })
    // A foreign callback runs outside Node's own dispatch: promises and nextTick would not run after it. An immediate of
    // the same turn does run inside.
    const dispatch = () => {
      if (!this.#closed) ready()
    }
    this.#onEvent = foreign().callback(() => {
      uv.uv_poll_stop(this.#handle)
      if (!this.#closed) setImmediate(dispatch)
    })
    this.#onClose = foreign().callback(() => {
      alive.delete(this)
      // Not from inside the callback itself: it is still on the stack.
      setImmediate(() => {
        foreign().releaseCallback(this.#onEvent)
        foreign().releaseCallback(this.#onClose)
      })
    })
    alive.add(this)
    uv.uv_unref(this.#handle)
  }

  resume(): void {
    if (this.#closed) return
    const status = this.#uv.uv_poll_start(this.#handle, UV_READABLE, this.#onEvent)
    if (status < 0) throw systemError(-status, { call: 'uv_poll_start', subject: `descriptor ${this.#fd}` })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#uv.uv_poll_stop(this.#handle)
    this.#uv.uv_close(this.#handle, this.#onClose)
  }
}
