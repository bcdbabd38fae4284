import { startNetwork } from '@parakernel/config'
import { type EndContext, serving, settled, Transcript } from '../end.ts'
import { countOf, numberOf } from './datagram.ts'

/** Every datagram is looked at in the frame in which it came, and none is kept. */
export async function partition(context: EndContext) {
  const network = await startNetwork(context)
  const { pool } = network
  const transcript = new Transcript()
  const seen = new Set<number>()
  let [announced, twice, damaged, bursts] = [0, 0, 0, 0]

  const socket = network.socket('datagram')
  network.bind(socket, context.data.here)
  network.serveDatagrams(socket, (burst) => {
    bursts++
    for (let i = 0; i < burst.count; i++) {
      const number = numberOf(pool, burst.address[i], burst.length[i])
      if (number < 0) damaged++
      else if (seen.has(number)) twice++
      else {
        seen.add(number)
        announced = countOf(pool, burst.address[i])
      }
    }
  })

  return serving(transcript, async () => {
    await settled(
      () => seen.size,
      () => announced,
    )
    const lost = announced - seen.size
    transcript.say(`${announced} datagrams were announced, ${twice} came twice, ${damaged} were damaged`)
    transcript.figure('received', seen.size)
    transcript.figure('lost', `${lost} (${((100 * lost) / Math.max(1, announced)).toFixed(2)} %)`)
    transcript.figure('datagrams in a burst', (seen.size / Math.max(1, bursts)).toFixed(1))
  })
}
