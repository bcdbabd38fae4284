import type { StorageFile } from './storage-file.ts'

/** Pulls one read at a time, and none ahead. */
export function readableOf(file: StorageFile): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      const view = controller.byobRequest?.view ?? undefined
      const bytes = await file.read(view?.byteLength)
      if (bytes === undefined) {
        await file.close()
        controller.close()
        controller.byobRequest?.respond(0)
      } else if (view === undefined) controller.enqueue(bytes)
      else {
        new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes)
        controller.byobRequest?.respond(bytes.byteLength)
      }
    },
    cancel() {
      file.abort()
    },
  }) as ReadableStream<Uint8Array<ArrayBuffer>>
}

/** One write at a time; the promise of each is the backpressure. */
export function writableOf(file: StorageFile): WritableStream<Uint8Array | string> {
  return new WritableStream({
    write: (content) => file.write(content),
    close: () => file.close(),
    abort: () => file.abort(),
  })
}
