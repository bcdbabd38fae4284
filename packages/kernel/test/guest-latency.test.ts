import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RunLoop } from '../src/index.ts'
import { fullLoad, percentile } from './helpers/load.ts'

const ROUNDS = 100
/** The promise, in milliseconds. Judged at the median, since other processes share these cores; the rest is reported. */
const PROMISED = 5

let loop: RunLoop
let load: ReturnType<typeof fullLoad>

beforeEach(() => {
  loop = new RunLoop()
  load = fullLoad()
  loop.add(load)
  loop.start('guest')
})

afterEach(() => loop.close())

async function measure(what: string, once: () => Promise<void>): Promise<void> {
  const before = load.polls
  const samples: number[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now()
    await once()
    samples.push(performance.now() - start)
  }
  const p = (q: number) => percentile(samples, q).toFixed(2)
  console.log(`${what} under full load: p50 ${p(50)} ms, p90 ${p(90)} ms, max ${p(100)} ms`)
  expect(load.polls - before).toBeGreaterThan(ROUNDS * 10)
  expect(percentile(samples, 50)).toBeLessThan(PROMISED)
}

describe('a guest loop under full load', () => {
  it('leaves room for setTimeout(1)', () =>
    measure('setTimeout(1)', () => new Promise((resolve) => setTimeout(resolve, 1))))

  it('leaves room for signals', () =>
    measure(
      'a signal',
      () =>
        new Promise<void>((resolve) => {
          process.once('SIGUSR2', () => resolve())
          process.kill(process.pid, 'SIGUSR2')
        }),
    ))

  it('leaves room for an HTTP request', async () => {
    const server = createServer((_request, response) => response.end('here'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const request = () =>
      new Promise<void>((resolve, reject) => {
        get({ port, host: '127.0.0.1' }, (response) => response.resume().once('end', resolve)).once('error', reject)
      })
    await request()
    await measure('an HTTP request', request)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
})
