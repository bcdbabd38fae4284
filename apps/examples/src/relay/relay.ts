import { startNetwork } from '@parakernel/config'
import { CompletionQueue, QueueAlgebra, type QueueDescriptor } from '@parakernel/queue'
import { addressOf, type EndContext, serving, Transcript } from '../end.ts'

/**
 * A proxy of two pipes. `qconnect` moves what comes out of one queue to another, no faster than that one takes it; a pop of the pipe
 * completes when its source has ended, and then that half alone is ended at the other side.
 */
export async function partition(context: EndContext) {
  const network = await startNetwork(context)
  const { runtime } = network
  const algebra = new QueueAlgebra(runtime, network.pool)
  const transcript = new Transcript()

  const listener = network.socket('stream')
  network.bind(listener, context.data.here)
  network.listen(listener)

  async function pipe(name: string, from: QueueDescriptor, to: QueueDescriptor) {
    const connection = algebra.qconnect({ libos: network, qd: from }, { libos: network, qd: to })
    const done = await runtime.completion(algebra.pop(connection))
    algebra.close(connection)
    if (done.kind !== 'pop') throw new Error(`${name}: ${done.kind === 'failed' ? done.message : done.kind}`)
    network.halfClose(to)
    transcript.say(`${name}: ended, and the end is passed on`)
  }

  async function serve(client: QueueDescriptor) {
    const origin = network.socket('stream')
    try {
      const connected = await runtime.completion(network.connect(origin, addressOf(context.data, 'origin')))
      if (connected.kind !== 'connect') throw new Error('the origin does not answer')
      await Promise.all([pipe('client to origin', client, origin), pipe('origin to client', origin, client)])
    } catch (error) {
      transcript.say(`given up: ${error instanceof Error ? error.message : error}`)
    } finally {
      for (const qd of [client, origin]) {
        algebra.close({ libos: network, qd })
        network.close(qd)
      }
    }
  }

  const connections = new CompletionQueue(runtime)
  connections.add(network.accept(listener))
  void (async () => {
    for await (const done of connections) {
      if (done.kind !== 'accept') return
      connections.add(network.accept(listener))
      void serve(done.accepted)
    }
  })()
  return serving(transcript)
}
