import { connectStream, type NetworkLibOS, type Stream } from '@parakernel/queue'
import { LATE_ANSWER, PORTS, QUESTION, type Way } from './ways.ts'

const decoder = new TextDecoder()

async function readAll(stream: Stream): Promise<string> {
  let text = ''
  for await (const bytes of stream) text += decoder.decode(bytes)
  return text
}

function expectText(text: string, expected: string): void {
  if (text !== expected) throw new Error(`${JSON.stringify(text)} came instead of ${JSON.stringify(expected)}`)
}

async function readQuestion(stream: Stream): Promise<void> {
  let text = ''
  while (text.length < QUESTION.length) {
    const bytes = await stream.read()
    if (bytes === undefined) throw new Error('the end came too early')
    text += decoder.decode(bytes)
  }
  expectText(text, QUESTION)
}

const CLIENTS: Readonly<Record<Way, (stream: Stream) => Promise<void>>> = {
  clientFirst: async (stream) => {
    await stream.write(QUESTION)
    await readQuestion(stream)
    await stream.end()
    expectText(await readAll(stream), '')
  },
  serverFirst: async (stream) => {
    await stream.write(QUESTION)
    expectText(await readAll(stream), QUESTION)
    await stream.end()
  },
  clientReset: async (stream) => {
    await stream.write(QUESTION)
    await readQuestion(stream)
    stream.abort()
  },
  serverReset: async (stream) => {
    await stream.write(QUESTION)
    const outcome = await readAll(stream).then(
      () => 'an end',
      (error) => error.code,
    )
    expectText(outcome, 'ECONNRESET')
  },
  halfClose: async (stream) => {
    await stream.end(QUESTION)
    expectText(await readAll(stream), LATE_ANSWER)
  },
  simultaneous: async (stream) => {
    await stream.end()
    expectText(await readAll(stream), '')
  },
}

export interface ChurnResult {
  readonly done: number
  readonly wrong: readonly string[]
  readonly seconds: number
}

/** Opens and ends `count` connections to the servers of a way at `address`, `lanes` at a time. */
export async function churn(
  libos: NetworkLibOS,
  address: string,
  way: Way,
  count: number,
  lanes: number,
): Promise<ChurnResult> {
  const wrong: string[] = []
  let begun = 0
  let done = 0
  const lane = async () => {
    while (begun < count) {
      begun++
      try {
        const stream = await connectStream(libos, { address, port: PORTS[way] })
        await CLIENTS[way](stream).catch((error) => {
          stream.abort()
          throw error
        })
        done++
      } catch (error) {
        wrong.push(String(error))
      }
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: lanes }, lane))
  return { done, wrong: wrong.slice(0, 10), seconds: (performance.now() - start) / 1000 }
}
