import { startNetwork } from '@parakernel/config'
import type { PartitionContext } from '@parakernel/kernel'
import { connectStream, type SocketAddress, sgaFromText } from '@parakernel/queue'

export async function partition(context: PartitionContext<SocketAddress>) {
  const network = await startNetwork(context)
  const socket = network.socket('datagram')
  async function ask(text: string) {
    const question = sgaFromText(network.pool, text)
    await network.runtime.completion(network.pushTo(socket, question, context.data))
    question.free()
    const answer = await network.runtime.completion(network.pop(socket))
    if (answer.kind !== 'pop') throw new Error(`no answer: ${answer.kind}`)
    const reply = new TextDecoder().decode(answer.sga.toBytes())
    answer.sga.free()
    return reply
  }
  async function askByStream(text: string) {
    const stream = await connectStream(network, context.data)
    await stream.write(new TextEncoder().encode(text))
    await stream.end()
    let reply = ''
    for await (const bytes of stream) reply += new TextDecoder().decode(bytes)
    return reply
  }
  return { methods: { ask, askByStream } }
}
