import { startNetwork } from '@parakernel/config'
import { connectStream, openDatagrams } from '@parakernel/queue'
import { acting, addressOf, type EndContext, Transcript } from '../end.ts'

/** Asks with promises: the same tokens, with a friendlier face. */
export async function partition(context: EndContext<{ readonly say: readonly string[] }>) {
  const network = await startNetwork(context)
  const transcript = new Transcript()

  return acting(transcript, async () => {
    const { say } = context.data.settings
    const server = addressOf(context.data, 'server')

    using socket = openDatagrams(network)
    for (const text of say) {
      transcript.say(`> ${text}`)
      await socket.send(text, server)
      const answer = await socket.receive({ signal: AbortSignal.timeout(30_000) })
      transcript.say(`< ${answer.text}`)
    }

    const stream = await connectStream(network, server, { signal: AbortSignal.timeout(30_000) })
    for (const text of say) {
      transcript.say(`stream > ${text}`)
      await stream.write(text)
    }
    await stream.end()
    let answer = ''
    for await (const bytes of stream) answer += new TextDecoder().decode(bytes)
    transcript.say(`stream < ${answer}`)
  })
}
