import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { type Config, compose, loadConfig, type Machine } from '@parakernel/config'
import { createVethPair, probeLab } from '@parakernel/linux'
import { describe, expect, it } from 'vitest'
import type { ServerData } from '../src/server-partition.ts'
import { request } from './support/native.ts'
import type { TranscriptStep } from './support/transcript-partition.ts'

const PORT = 19_300
const MEMCACHED_PORT = 19_400
const data: ServerData = { port: PORT, memcachedPort: MEMCACHED_PORT, guard: 'private', key: new Uint8Array(16) }

const text = (body: string) => Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 1, 0, 0]), Buffer.from(body)])
const big = 'x'.repeat(900)

/** Requests to a fresh server, one answer awaited after the other. */
const STEPS: readonly TranscriptStep[] = [
  [PORT, request([])],
  [
    PORT,
    request(
      [
        { opcode: 2, key: 'a', value: 'one', opaque: 1 },
        { opcode: 1, key: 'a', opaque: 2 },
      ],
      { opaque: 9 },
    ),
  ],
  [PORT, request([{ opcode: 1, key: 'nobody', opaque: 3 }])],
  [PORT, request([{ opcode: 2, key: 'big', value: big }])],
  [PORT, request([{ opcode: 1, key: 'big' }])],
  [PORT, request([{ opcode: 99, key: 'a' }])],
  [PORT, request([{ opcode: 1, key: 'a' }]).subarray(0, 50)],
  [PORT, request([{ opcode: 1, key: 'a' }], { version: 7 })],
  [MEMCACHED_PORT, text('get a\r\n')],
  [MEMCACHED_PORT, text(`append big 0 0 3\r\nyyy\r\n`)],
  [MEMCACHED_PORT, text('get big a\r\n')],
  [MEMCACHED_PORT, text('incr a 1\r\n')],
  [MEMCACHED_PORT, text('nonsense\r\n')],
  [MEMCACHED_PORT, text('set c 5 0 2\r\n41\r\nincr c 1\r\nget c\r\n')],
].map(([port, bytes]) => ({ port: port as number, bytes: new Uint8Array(bytes as Uint8Array) }))

async function serverOf(config: Config): Promise<Machine> {
  const resolved = await loadConfig({
    config: { heap: '16MiB', frames: { count: 512, debug: true }, ...config },
    environment: false,
    application: import.meta.url,
  })
  return compose(resolved, {
    name: 'server',
    partition: new URL('../src/server-partition.ts', import.meta.url),
    data,
    signals: false,
  })
}

/** Over a socket of the host's kernel. */
async function overHost(address: string): Promise<string[]> {
  const socket = createSocket('udp4')
  const answers: string[] = []
  try {
    await new Promise<void>((resolve) => socket.bind(0, resolve))
    for (const { port, bytes } of STEPS) {
      const answer = new Promise<string>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no answer at port ${port}`)), 3000)
        socket.once('message', (message) => {
          clearTimeout(timer)
          resolve(message.toString('hex'))
        })
      })
      socket.send(bytes, port, address)
      answers.push(await answer)
    }
    return answers
  } finally {
    socket.close()
  }
}

const AF_XDP_CLIENT = new URL('./support/transcript-client.ts', import.meta.url).pathname

describe('the transcript of a server', () => {
  let onHost: string[]

  it('on the host', async () => {
    const server = await serverOf({ network: { libos: 'host', address: '127.0.0.1' } } as Config)
    try {
      onHost = await overHost('127.0.0.1')
      expect(onHost.length).toBe(STEPS.length)
      expect(Buffer.from(onHost[8], 'hex').subarray(8).toString()).toBe('VALUE a 0 3\r\none\r\nEND\r\n')
    } finally {
      await server.stop()
    }
  })

  it('is the same on the emulated backend', async () => {
    const network = { libos: 'net', backend: 'emulated', network: 'transcript' }
    const server = await serverOf({ network: { ...network, address: '10.0.0.1/24' } } as Config)
    try {
      const client = await compose(
        await loadConfig({
          config: { network: { ...network, address: '10.0.0.2/24' } } as Config,
          environment: false,
          application: import.meta.url,
        }),
        {
          name: 'client',
          partition: new URL('./support/transcript-partition.ts', import.meta.url),
          data: { address: '10.0.0.1' },
          signals: false,
        },
      )
      try {
        expect(await client.call(0, 'ask', STEPS)).toEqual(onHost)
      } finally {
        await client.stop()
      }
    } finally {
      await server.stop()
    }
  })

  it('is the same on AF_XDP', async (ctx) => {
    const lab = probeLab()
    if (!lab.available) return ctx.skip(`AF_XDP needs ${lab.missing}`)
    const pair = createVethPair({ label: 'tr', peerAddresses: ['10.112.0.2/24'] })
    try {
      const server = await serverOf({
        network: { libos: 'net', backend: 'af-xdp', interface: pair.interface, address: '10.112.0.1/24' },
      } as Config)
      try {
        const [file, args] = pair.command(process.execPath, '--conditions=source', AF_XDP_CLIENT, '10.112.0.1')
        const steps = JSON.stringify(STEPS.map(({ port, bytes }) => [port, Buffer.from(bytes).toString('hex')]))
        const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
        child.stdin.end(steps)
        let printed = ''
        for await (const chunk of child.stdout) printed += chunk
        expect(JSON.parse(printed)).toEqual(onHost)
      } finally {
        await server.stop()
      }
    } finally {
      pair.remove()
    }
  })
})
