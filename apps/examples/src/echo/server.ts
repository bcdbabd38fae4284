import { startNetwork } from '@parakernel/config'
import { CompletionQueue, type QueueDescriptor } from '@parakernel/queue'
import { type EndContext, serving, Transcript } from '../end.ts'

/**
 * Demikernel's echo. Calls on queues return tokens; one loop waits for all of them, and each completion says which queue it is of
 * and what became of it. Datagrams and streams are served side by side.
 */
export async function partition(context: EndContext) {
  const network = await startNetwork(context)
  const { here } = context.data
  const transcript = new Transcript()
  const completions = new CompletionQueue(network.runtime)

  const datagrams = network.socket('datagram')
  network.bind(datagrams, here)
  completions.add(network.pop(datagrams))

  const listener = network.socket('stream')
  network.bind(listener, here)
  network.listen(listener)
  completions.add(network.accept(listener))

  const streams = new Set<QueueDescriptor>()
  async function serve() {
    for await (const done of completions) {
      if (done.kind === 'accept') {
        streams.add(done.accepted)
        completions.add(network.accept(listener), network.pop(done.accepted))
      } else if (done.kind === 'pop') {
        const { qd, sga, source } = done
        if (source !== undefined) {
          transcript.say(`a datagram of ${sga.byteLength} bytes goes back`)
          completions.add(network.pushTo(qd, sga, source), network.pop(qd))
        } else if (sga.byteLength > 0) {
          completions.add(network.push(qd, sga), network.pop(qd))
        } else {
          transcript.say('a stream has ended, and so has our half')
          streams.delete(qd)
          completions.add(network.asyncClose(qd))
        }
        // A push keeps the frames that it needs: the array is ours to free.
        sga.free()
      } else if (done.kind === 'failed' && streams.delete(done.qd)) {
        // A stream that broke, once for all of its tokens: the others follow as cancelled.
        network.close(done.qd)
      }
    }
  }
  void serve()
  return serving(transcript)
}
