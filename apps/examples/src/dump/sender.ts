import { startNetwork } from '@parakernel/config'
import { openDatagrams } from '@parakernel/queue'
import { acting, addressOf, type EndContext, Transcript } from '../end.ts'

/** Datagrams of four kinds: the kind in the first byte, a number, and text of several lengths. */
export async function partition(context: EndContext<{ readonly count: number }>) {
  const network = await startNetwork(context)
  const transcript = new Transcript()

  return acting(transcript, async () => {
    const { count } = context.data.settings
    const dump = addressOf(context.data, 'dump')
    using socket = openDatagrams(network)
    for (let i = 0; i < count; i++) {
      const number = i % 16 === 15 ? 0xbeef : i
      const header = Buffer.of(i % 4, number >> 8, number & 0xff)
      await socket.send(Buffer.concat([header, Buffer.from(`datagram ${i} ${'.'.repeat(i % 20)}`)]), dump)
      transcript.progress = `${i} of ${count}`
    }
    transcript.say(`${count} datagrams sent`)
  })
}
