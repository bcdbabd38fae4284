import type { Stream } from './stream.ts'

/** Pulls one read at a time, and none ahead. */
export function readableOf(stream: Stream): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      const view = controller.byobRequest?.view ?? undefined
      const bytes = await stream.read(view?.byteLength)
      if (bytes === undefined) {
        controller.close()
        controller.byobRequest?.respond(0)
      } else if (view === undefined) controller.enqueue(bytes)
      else {
        new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes)
        controller.byobRequest?.respond(bytes.byteLength)
      }
    },
    cancel() {
      stream.abort()
    },
  }) as ReadableStream<Uint8Array<ArrayBuffer>>
}

/** One write at a time; the promise of each is the backpressure. */
export function writableOf(stream: Stream): WritableStream<Uint8Array | string> {
  return new WritableStream({
    write: (content) => stream.write(content),
    close: () => stream.end(),
    abort: () => stream.abort(),
  })
}
