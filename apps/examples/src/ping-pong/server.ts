import { startNetwork } from '@parakernel/config'
import { type EndContext, serving, Transcript } from '../end.ts'

/**
 * The fast face: datagrams come in bursts, without a token, an object or a copy for each, and the answer leaves in the frame in which
 * the question came.
 */
export async function partition(context: EndContext) {
  const network = await startNetwork(context)
  const transcript = new Transcript()
  let [bursts, datagrams] = [0, 0]

  const socket = network.socket('datagram')
  network.bind(socket, context.data.here)
  network.serveDatagrams(socket, (burst) => {
    bursts++
    datagrams += burst.count
    for (let i = 0; i < burst.count; i++) burst.reply[i] = burst.length[i]
  })

  return serving(transcript, async () => {
    transcript.figure('datagrams in a burst', (datagrams / Math.max(1, bursts)).toFixed(1))
  })
}
