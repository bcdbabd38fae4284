import { listenStream, type NetworkLibOS, type Stream, type StreamListener } from '@parakernel/queue'
import { LATE_ANSWER, PORTS, WAYS, type Way } from './ways.ts'

const SERVERS: Readonly<Record<Way, (stream: Stream) => Promise<void>>> = {
  clientFirst: async (stream) => {
    for await (const bytes of stream) await stream.write(bytes)
    await stream.end()
  },
  serverFirst: async (stream) => {
    await stream.write((await stream.read()) as Uint8Array)
    await stream.end()
    while ((await stream.read()) !== undefined);
  },
  clientReset: async (stream) => {
    await stream.write((await stream.read()) as Uint8Array)
    while ((await stream.read()) !== undefined);
    throw new Error('an end came instead of a reset')
  },
  serverReset: async (stream) => {
    await stream.read()
    stream.abort()
  },
  halfClose: async (stream) => {
    while ((await stream.read()) !== undefined);
    await stream.end(LATE_ANSWER)
  },
  simultaneous: async (stream) => {
    await stream.end()
    while ((await stream.read()) !== undefined);
  },
}

/** What became of the connections of each way. */
export type Outcomes = Record<Way, { served: number; reset: number; wrong: string[] }>

/** Servers of every way of parting, and the count of what happened to them. */
export function serveChurn(libos: NetworkLibOS, address: string): { listeners: StreamListener[]; outcomes: Outcomes } {
  const outcomes = Object.fromEntries(
    WAYS.map((way) => [way, { served: 0, reset: 0, wrong: [] }]),
  ) as unknown as Outcomes
  const listeners = WAYS.map((way) => {
    const listener = listenStream(libos, { address, port: PORTS[way] }, { backlog: 1024 })
    const outcome = outcomes[way]
    const one = async (stream: Stream) => {
      try {
        await SERVERS[way](stream)
        outcome.served++
      } catch (error) {
        if ((error as { code?: string }).code === 'ECONNRESET') outcome.reset++
        else outcome.wrong.push(String(error))
        stream.abort()
      }
    }
    const serving = async () => {
      for await (const stream of listener) void one(stream)
    }
    serving().catch((error) => outcome.wrong.push(String(error)))
    return listener
  })
  return { listeners, outcomes }
}
