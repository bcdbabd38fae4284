import { once } from 'node:events'
import net from 'node:net'
import { createPlainWindow, FramePool } from '@parakernel/hal'
import { libos } from '@parakernel/host'
import { RunLoop } from '@parakernel/kernel'
import { createQueueRuntime, type NetworkLibOS } from '@parakernel/queue'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { serveHttp } from '../src/programs/http/server.ts'
import { patternHash } from '../src/programs/pattern.ts'

// The server that curl and wrk talk to, over the host's sockets: no privileges are needed.

let host: NetworkLibOS
let port: number

beforeEach(async () => {
  const loop = new RunLoop()
  const pool = new FramePool(createPlainWindow(256))
  const runtime = createQueueRuntime(loop)
  const context = { loop, runtime, clock: loop.clock, pool, queues: [], partition: 0, partitions: 1 }
  host = await libos.create({ address: '127.0.0.1' }, context)
  port = serveHttp(host, { address: '127.0.0.1', port: 0 }).address.port
})

afterEach(() => host.shutdown())

/** Says `text` in pieces, then its end, and returns all that the server says to its own end. */
async function say(text: string, piece = text.length): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  let answer = ''
  socket.on('data', (bytes) => {
    answer += bytes.toString('latin1')
  })
  const ended = once(socket, 'end')
  for (let at = 0; at < text.length; at += piece) {
    socket.write(text.slice(at, at + piece))
    if (piece < text.length) await new Promise(setImmediate)
  }
  socket.end()
  await ended
  return answer
}

const statuses = (answer: string) => [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)

test('answers pipelined requests in order', async () => {
  const answer = await say(
    'GET / HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\nGET /bytes/3 HTTP/1.1\r\n\r\n',
  )
  expect(statuses(answer)).toEqual(['200', '404', '200', '200'])
})

test('understands requests that come byte by byte, bodies of both kinds among them', async () => {
  const chunked =
    'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n'
  const plain = 'PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcde'
  const answer = await say(`${chunked}${plain}GET / HTTP/1.0\r\n\r\n`, 1)
  expect(statuses(answer)).toEqual(['200', '200', '200'])
  const hashes = [...answer.matchAll(/"bytes":5,"sha256":"([0-9a-f]+)"/g)].map(([, hash]) => hash)
  expect(hashes.length).toBe(2)
  expect(hashes[0]).toBe(hashes[1])
  expect(answer).toContain('Connection: close')
})

test('refuses what is no request, and ends the connection', async () => {
  const bad = [
    'nonsense\r\n\r\n',
    'GET / HTTP/2.0\r\n\r\n',
    'GET / HTTP/1.1\r\nno field\r\n\r\n',
    'PUT / HTTP/1.1\r\nContent-Length: many\r\n\r\n',
    'PUT / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n',
    'PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc',
  ]
  for (const text of bad) expect(statuses(await say(text)), text).toEqual(['400'])
  expect(statuses(await say(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\n\r\n`))).toEqual(['431'])
})

test('asks for the body that waits for it', async () => {
  const head = 'PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n'
  expect(statuses(await say(`${head}abc`))).toEqual(['100', '200'])
})

test('streams the pattern, of known length and in chunks', async () => {
  const response = await fetch(`http://127.0.0.1:${port}/stream/300000`)
  const body = new Uint8Array(await response.arrayBuffer())
  const echoed = await fetch(`http://127.0.0.1:${port}/`, { method: 'PUT', body })
  expect(await echoed.json()).toEqual({ bytes: 300_000, sha256: patternHash(300_000) })
  const known = await fetch(`http://127.0.0.1:${port}/bytes/300000`, { headers: { connection: 'close' } })
  expect(known.headers.get('content-length')).toBe('300000')
  expect(new Uint8Array(await known.arrayBuffer())).toEqual(body)
})
