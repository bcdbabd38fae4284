import { startNetwork } from '@parakernel/config'
import { connectStream } from '@parakernel/queue'
import { acting, addressOf, type EndContext, Transcript } from '../end.ts'

/** Sends lines, ends its half, and reads what comes after that. It speaks to the relay, and does not notice. */
export async function partition(context: EndContext<{ readonly lines: number }>) {
  const network = await startNetwork(context)
  const transcript = new Transcript()

  return acting(transcript, async () => {
    const { lines } = context.data.settings
    const peer = addressOf(context.data, 'relay')
    const stream = await connectStream(network, peer, { signal: AbortSignal.timeout(30_000) })
    const began = context.clock.now()
    for (let line = 1; line <= lines; line++) {
      await stream.write(`line ${line} of ${lines}\n`)
      transcript.progress = `${line} of ${lines} lines`
    }
    await stream.end()
    transcript.say(`> ${lines} lines, and the end`)
    let answer = ''
    for await (const bytes of stream) answer += new TextDecoder().decode(bytes)
    transcript.say(`< ${answer.trimEnd()}`)
    transcript.figure('from the first line to the answer', `${((context.clock.now() - began) / 1e6).toFixed(1)} ms`)
  })
}
