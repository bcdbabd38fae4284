/**
 * The other side of `programs/churn`, on the sockets of Linux: as a client or as the servers of every way of parting.
 *
 *     node churn-peer.ts client ADDRESS WAY COUNT LANES    prints the result as JSON
 *     node churn-peer.ts server ADDRESS                    prints `ready`, and serves until it is killed
 */
import net from 'node:net'
import { LATE_ANSWER, PORTS, QUESTION, WAYS, type Way } from '../programs/churn/ways.ts'

/** Collects what a socket gets. Resolves with the text at the end, rejects with its error. */
function toTheEnd(socket: net.Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes
    })
    socket.on('end', () => resolve(text))
    socket.on('error', reject)
  })
}

function enough(socket: net.Socket, length: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes
      if (text.length >= length) resolve(text)
    })
    socket.on('end', () => reject(new Error('the end came too early')))
    socket.on('error', reject)
  })
}

const gone = (socket: net.Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))

function expectText(text: string, expected: string): void {
  if (text !== expected) throw new Error(`${JSON.stringify(text)} came instead of ${JSON.stringify(expected)}`)
}

const CLIENTS: Readonly<Record<Way, (socket: net.Socket) => Promise<void>>> = {
  clientFirst: async (socket) => {
    socket.write(QUESTION)
    expectText(await enough(socket, QUESTION.length), QUESTION)
    socket.removeAllListeners('end')
    const rest = toTheEnd(socket)
    socket.end()
    expectText(await rest, '')
  },
  serverFirst: async (socket) => {
    socket.write(QUESTION)
    expectText(await toTheEnd(socket), QUESTION)
    socket.end()
  },
  clientReset: async (socket) => {
    socket.write(QUESTION)
    expectText(await enough(socket, QUESTION.length), QUESTION)
    socket.resetAndDestroy()
  },
  serverReset: async (socket) => {
    socket.write(QUESTION)
    const outcome = await toTheEnd(socket).then(
      () => 'an end',
      (error) => error.code,
    )
    expectText(outcome, 'ECONNRESET')
  },
  halfClose: async (socket) => {
    socket.end(QUESTION)
    expectText(await toTheEnd(socket), LATE_ANSWER)
  },
  simultaneous: async (socket) => {
    socket.end()
    expectText(await toTheEnd(socket), '')
  },
}

const SERVERS: Readonly<Record<Way, (socket: net.Socket) => void>> = {
  clientFirst: (socket) => socket.pipe(socket),
  serverFirst: (socket) => socket.once('data', (bytes) => socket.end(bytes)),
  clientReset: (socket) => socket.once('data', (bytes) => socket.write(bytes)),
  serverReset: (socket) => socket.once('data', () => socket.resetAndDestroy()),
  halfClose: (socket) => {
    socket.on('data', () => {})
    socket.on('end', () => socket.end(LATE_ANSWER))
  },
  simultaneous: (socket) => {
    socket.end()
    socket.resume()
  },
}

async function client(address: string, way: Way, count: number, lanes: number): Promise<void> {
  const wrong: string[] = []
  let begun = 0
  let done = 0
  const one = async () => {
    const socket = net.connect({ host: address, port: PORTS[way], allowHalfOpen: true, noDelay: true })
    const closed = gone(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    socket.on('error', () => {})
    await CLIENTS[way](socket)
    await closed
  }
  const lane = async () => {
    while (begun < count) {
      begun++
      await one().then(
        () => done++,
        (error) => wrong.push(String(error)),
      )
    }
  }
  const start = performance.now()
  await Promise.all(Array.from({ length: lanes }, lane))
  console.log(JSON.stringify({ done, wrong: wrong.slice(0, 10), seconds: (performance.now() - start) / 1000 }))
}

function server(address: string): void {
  let listening = 0
  for (const way of WAYS) {
    const listener = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on('error', () => {})
      SERVERS[way](socket)
    })
    listener.listen({ port: PORTS[way], host: address, backlog: 1024 }, () => {
      if (++listening === WAYS.length) console.log('ready')
    })
  }
}

const [role, address = '', way, count, lanes] = process.argv.slice(2)
if (role === 'server') server(address)
else await client(address, way as Way, Number(count), Number(lanes))
