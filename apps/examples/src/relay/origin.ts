import { startNetwork } from '@parakernel/config'
import { listenStream, type Stream } from '@parakernel/queue'
import { type EndContext, serving, Transcript } from '../end.ts'

/** Counts lines, and answers when its client has ended: it can only do so if the end comes through. */
export async function partition(context: EndContext) {
  const network = await startNetwork(context)
  const transcript = new Transcript()

  async function answer(stream: Stream) {
    const decoder = new TextDecoder()
    let text = ''
    for await (const bytes of stream) text += decoder.decode(bytes, { stream: true })
    const lines = text.split('\n').length - 1
    transcript.say(`${lines} lines, ${text.length} bytes, and the end`)
    await stream.end(
      `you have sent ${lines} lines of ${text.length} bytes; the last one is ${text.split('\n').at(-2)}\n`,
    )
  }

  const listener = listenStream(network, context.data.here)
  void (async () => {
    for await (const stream of listener) answer(stream).catch((error) => transcript.say(String(error)))
  })()
  return serving(transcript)
}
