import { startNetwork } from '@parakernel/config'
import { DatagramBurst, parseIpv4 } from '@parakernel/queue'
import { acting, addressOf, type EndContext, Transcript } from '../end.ts'
import { fill, headroomOf } from './datagram.ts'

interface Settings {
  readonly count: number
  readonly rate: number
  readonly size: number
}

const BURST = 32
/** Nanoseconds before what was not taken is offered again: the device is full, or the peer's address is not known yet. */
const RETRY = 20_000

/** Open loop: what is due is sent, in bursts of frames that are filled in place, however long the last burst took. */
export async function partition(context: EndContext<Settings>) {
  const network = await startNetwork(context)
  const { loop, pool } = network
  const transcript = new Transcript()
  const burst = new DatagramBurst(BURST)

  const socket = network.socket('datagram')
  network.bind(socket, { address: '0.0.0.0', port: 0 })
  const until = (time: number) =>
    new Promise<void>((resolve) => void loop.timers.at(time, () => resolve(loop.requestYield())))

  return acting(transcript, async () => {
    const { count, rate, size } = context.data.settings
    const { address, port } = addressOf(context.data, 'counter')
    const [peer, headroom] = [parseIpv4(address), headroomOf(pool)]
    const began = loop.clock.now()
    let [sent, refused] = [0, 0]

    while (sent < count) {
      const due = Math.min(count, Math.floor(((loop.clock.now() - began) * rate) / 1e9) + 1)
      burst.count = 0
      while (burst.count < Math.min(BURST, due - sent)) {
        const frame = pool.allocate()
        if (frame < 0) break
        const i = burst.count++
        burst.frame[i] = frame
        burst.address[i] = pool.address(frame) + headroom
        burst.length[i] = size
        burst.peerAddress[i] = peer
        burst.peerPort[i] = port
        fill(pool, burst.address[i], size, sent + i, count)
      }
      // What is not taken stays ours, and is made again.
      const taken = network.sendDatagrams(socket, burst)
      for (let i = taken; i < burst.count; i++) pool.release(burst.frame[i])
      sent += taken
      refused += burst.count - taken
      transcript.progress = `${sent} of ${count}`
      // A nanosecond late rather than early: on a virtual clock, nothing would be due and no time would pass.
      const next = began + Math.ceil((sent * 1e9) / rate) + 1
      if (sent < count) await until(taken < burst.count ? Math.max(next, loop.clock.now() + RETRY) : next)
    }
    const seconds = (loop.clock.now() - began) / 1e9
    transcript.say(`${sent} datagrams of ${size} bytes sent`)
    transcript.figure('rate', `${Math.round(sent / seconds)} a second, asked for ${rate}`)
    transcript.figure('offered again', refused)
  })
}
