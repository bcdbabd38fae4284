import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createSocket, type Socket } from 'node:dgram'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'

const MAIN = new URL('../src/main.ts', import.meta.url).pathname
const TRIALS = process.env['PARAKERNEL_LONG'] === '1' ? 200 : 3
/** memcached's port of the server under test; the native one lies 1000 below. */
const FIRST_PORT = 21_000 + (process.pid % 2000) * 4

function folder(base = tmpdir()): string {
  const path = mkdtempSync(join(base, 'parakernel-kvs-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const common = (port: number) => [
  'serve',
  '--libos',
  'host',
  '--app.port',
  `${port + 1000}`,
  '--app.memcachedPort',
  `${port}`,
]

class Server {
  readonly process: ChildProcess
  readonly ready: Promise<void>
  output = ''

  constructor(port: number, storage: readonly string[]) {
    this.process = spawn(process.execPath, [
      '--conditions=source',
      MAIN,
      ...common(port),
      '--app.mode',
      'store',
      ...storage,
    ])
    this.ready = new Promise((resolve, reject) => {
      const take = (chunk: Buffer) => {
        this.output += chunk
        if (this.output.includes('serving at')) resolve()
      }
      this.process.stdout?.on('data', take)
      this.process.stderr?.on('data', take)
      this.process.once('exit', (code) => reject(new Error(`ended with ${code}: ${this.output}`)))
    })
    onTestFinished(() => void this.process.kill('SIGKILL'))
  }

  async end(signal: NodeJS.Signals): Promise<number | null> {
    const exited = new Promise<number | null>((resolve) => this.process.once('exit', resolve))
    this.process.kill(signal)
    return exited
  }
}

/** memcached's text protocol over UDP: requests in flight by their number. */
class Client {
  readonly #socket: Socket = createSocket('udp4')
  readonly #waiting = new Map<number, (reply: string) => void>()
  readonly #port: number
  #id = 0

  constructor(port: number) {
    this.#port = port
    this.#socket.on('message', (bytes) => {
      const id = bytes.readUInt16BE(0)
      this.#waiting.get(id)?.(bytes.toString('latin1', 8))
      this.#waiting.delete(id)
    })
    onTestFinished(() => void this.#socket.close())
  }

  /** Undefined when no reply comes in time. */
  ask(line: string, milliseconds = 2000): Promise<string | undefined> {
    const id = this.#id++ & 0xffff
    const packet = Buffer.alloc(8 + line.length)
    packet.writeUInt16BE(id, 0)
    packet.writeUInt16BE(1, 4)
    packet.write(line, 8, 'latin1')
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), milliseconds)
      this.#waiting.set(id, (reply) => {
        clearTimeout(timer)
        resolve(reply)
      })
      this.#socket.send(packet, this.#port, '127.0.0.1')
    })
  }
}

/** Keeps 16 writers busy until the server is killed; returns the last value of each key that was acknowledged, and what may follow. */
async function writeUntilKilled(client: Client, server: Server, trial: number) {
  const acknowledged = new Map<string, number>()
  const attempted = new Map<string, number>()
  let running = true
  const writer = async (number: number) => {
    for (let i = 0; running; i++) {
      const key = `key-${number}-${i % 7}`
      const value = trial * 1_000_000 + i
      attempted.set(key, value)
      const text = String(value)
      const reply = await client.ask(`set ${key} 0 0 ${text.length}\r\n${text}\r\n`, 500)
      if (reply === 'STORED\r\n') acknowledged.set(key, value)
    }
  }
  const writers = Array.from({ length: 16 }, (_, i) => writer(i))
  await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 300))
  await server.end('SIGKILL')
  running = false
  await Promise.all(writers)
  return { acknowledged, attempted }
}

const kinds: readonly [name: string, args: (path: string) => string[], base: string][] = [
  [
    'log on io_uring',
    (path) => [
      '--persistence',
      'log',
      '--storage.backend',
      'io-uring',
      '--storage.path',
      join(path, 'kvs.img'),
      '--storage.size',
      `${32 << 20}`,
    ],
    tmpdir(),
  ],
  [
    'persistent memory',
    (path) => [
      '--persistence',
      'pmem',
      '--storage.backend',
      'pmem',
      '--storage.path',
      join(path, 'kvs.pmem'),
      '--storage.size',
      `${32 << 20}`,
    ],
    existsSync('/dev/shm') ? '/dev/shm' : tmpdir(),
  ],
]

describe.each(kinds)('%s', (name, args, base) => {
  it('no acknowledged write is lost when the process is killed, again and again', async (context) => {
    const port = FIRST_PORT + (name === 'persistent memory' ? 2 : 0)
    const storage = args(folder(base))
    const first = new Server(port, storage)
    const failure = await first.ready.catch((error: Error) => error.message)
    if (failure?.includes('ENOTSUP') === true) context.skip('this kernel has no io_uring')
    expect(failure).toBeUndefined()
    const client = new Client(port)
    let server = first
    let writes = 0
    for (let trial = 1; trial <= TRIALS; trial++) {
      const { acknowledged, attempted } = await writeUntilKilled(client, server, trial)
      writes += acknowledged.size
      server = new Server(port, storage)
      await server.ready
      for (const [key, value] of acknowledged) {
        const reply = (await client.ask(`get ${key}\r\n`)) ?? ''
        const found = Number(/\r\n(\d+)\r\nEND/.exec(reply)?.[1])
        // What was on its way when the process died may be there too; nothing older, and nothing else.
        expect(found, `${key} in trial ${trial}`).toBeGreaterThanOrEqual(value)
        expect(found, `${key} in trial ${trial}`).toBeLessThanOrEqual(attempted.get(key) ?? 0)
      }
    }
    expect(writes).toBeGreaterThan(50 * TRIALS)
    // And in order: the log is closed, and opens clean.
    expect(await server.end('SIGTERM')).toBe(0)
  }, 600_000)
})

it('says what is missing', () => {
  const kvs = (...args: string[]) =>
    spawnSync(process.execPath, ['--conditions=source', MAIN, ...common(FIRST_PORT), ...args], { encoding: 'utf8' })
  const bare = kvs('--persistence', 'log')
  expect([bare.status, bare.stderr]).toEqual([
    1,
    expect.stringMatching(/"log" needs a block device .*--storage\.backend io-uring/),
  ])
  const wrong = kvs('--persistence', 'pmem', '--storage.backend', 'emulated')
  expect([wrong.status, wrong.stderr]).toEqual([1, expect.stringMatching(/"pmem" needs persistent memory/)])
  expect(kvs('--persistence', 'disk').stderr).toMatch(/"none", "log" or "pmem"/)
})
