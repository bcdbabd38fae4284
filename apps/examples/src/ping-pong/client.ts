import { startNetwork } from '@parakernel/config'
import { openDatagrams, sgaFromBytes } from '@parakernel/queue'
import { acting, addressOf, type EndContext, Transcript } from '../end.ts'
import { formatDistribution } from '../figures.ts'

/** The same round trip by both faces of a socket, and how long each takes. */
export async function partition(context: EndContext<{ readonly rounds: number; readonly size: number }>) {
  const network = await startNetwork(context)
  const transcript = new Transcript()

  return acting(transcript, async () => {
    const { rounds, size } = context.data.settings
    const server = addressOf(context.data, 'server')
    const { runtime } = network
    using socket = openDatagrams(network)
    const ping = new Uint8Array(size)

    /** Promises: an await for each call, bytes that are ours to keep. */
    async function byPromises() {
      await socket.send(ping, server)
      return (await socket.receive({ signal: AbortSignal.timeout(30_000) })).bytes
    }

    /** Tokens: the pop is issued before the push, and nothing is copied but what is kept. */
    async function byTokens() {
      const popped = network.pop(socket.qd)
      const sga = sgaFromBytes(network.pool, ping)
      runtime.notify(network.pushTo(socket.qd, sga, server), () => {})
      sga.free()
      const patience = network.loop.timers.at(context.clock.now() + 30e9, () => void runtime.cancel(popped))
      const done = await runtime.completion(popped)
      network.loop.timers.cancel(patience)
      if (done.kind !== 'pop') throw new Error(`the pop ended as ${done.kind}`)
      const pong = done.sga.toBytes()
      done.sga.free()
      return pong
    }

    for (const [face, roundTrip] of Object.entries({ promises: byPromises, tokens: byTokens })) {
      const times: number[] = []
      for (let round = 0; round < rounds; round++) {
        new DataView(ping.buffer).setUint32(0, round)
        const began = context.clock.now()
        const pong = await roundTrip()
        times.push(context.clock.now() - began)
        if (Buffer.compare(ping, pong) !== 0) throw new Error(`round ${round}: the pong is not the ping`)
        transcript.progress = `${face}: ${round} of ${rounds}`
      }
      transcript.say(`${face}: ${rounds} pings of ${size} bytes, each answered by itself`)
      transcript.figure(`round trip by ${face}`, formatDistribution(times))
    }
  })
}
