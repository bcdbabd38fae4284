import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { createVethPair, probeLab, type VethPair } from '@parakernel/linux'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { MEMCACHED } from '../src/kv-client/example.ts'
import { PORT } from './support/port.ts'
import { type Run, serving, start } from './support/run.ts'

// Programs that are not ours speak to the serving ends: over the loopback interface, and over AF_XDP from a namespace of their own.

const missing = ['nc', 'socat'].filter((program) => spawnSync('which', [program]).status !== 0)
const lab = probeLab()
const FIRST = PORT + 30
let pair: VethPair | undefined

beforeAll(() => {
  if (lab.available) pair = createVethPair({ label: 'exf', peerAddresses: ['10.115.0.2/24'] })
})
afterAll(() => pair?.remove())

const PLACES = {
  'the sockets of the host': {
    needs: missing.length > 0 ? missing.join(' and ') : undefined,
    server: '127.0.0.1',
    client: '127.0.0.1',
    settings: () => ['--libos', 'host'],
    command: (...program: string[]) => program,
  },
  AF_XDP: {
    needs: !lab.available ? lab.missing : missing.length > 0 ? missing.join(' and ') : undefined,
    server: '10.115.0.1',
    client: '10.115.0.2',
    settings: () => ['--backend', 'af-xdp', '--interface', pair?.interface ?? '', '--address', '10.115.0.1/24'],
    command: (...program: string[]) => (pair?.command(...program) ?? []).flat(),
  },
}

describe.each(Object.entries(PLACES))('on %s', (_, { needs, server, client, settings, command }) => {
  function launch(program: readonly string[]) {
    const [file, ...args] = command(...program)
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdin.on('error', () => {})
    return child
  }

  /** A program of the peer's; resolves with what it printed. */
  function run(program: readonly string[], input = ''): Promise<string> {
    const child = launch(program)
    child.stdin.end(input)
    return text(child.stdout)
  }

  /** Sends a datagram by socat; resolves with the answer. */
  async function ask(port: number, question: string): Promise<string> {
    const child = launch(['socat', '-T20', '-', `UDP:${server}:${port}`])
    child.stdin.write(question)
    const [answer] = await once(child.stdout, 'data')
    child.kill()
    return String(answer)
  }

  async function serve(...argv: string[]): Promise<Run> {
    const example = start([...argv, '--app.port', String(FIRST), '--run', 'inline', ...settings()])
    onTestFinished(() => example.interrupt())
    await serving(example)
    return example
  }

  async function ended(example: Run): Promise<string[]> {
    example.interrupt()
    expect(await example.exited, example.noted()).toBe(0)
    return example.printed().trimEnd().split('\n')
  }

  test('nc is answered by echo, on a stream and by a datagram', async (context) => {
    if (needs !== undefined) return context.skip(`it needs ${needs}`)
    const echo = await serve('echo', '--end', 'server')
    expect(await run(['nc', '-N', server, String(FIRST)], 'over a stream\n')).toBe('over a stream\n')
    expect(await ask(FIRST, 'in a datagram')).toBe('in a datagram')
    expect(await ended(echo)).toEqual([
      'server: a stream has ended, and so has our half',
      'server: a datagram of 13 bytes goes back',
    ])
  })

  test('echo goes on when a client resets its stream', async (context) => {
    if (needs !== undefined) return context.skip(`it needs ${needs}`)
    const echo = await serve('echo', '--end', 'server')
    // Without linger, a close is a reset; what was sent back meanwhile fails too.
    const reset = ['socat', '-u', 'STDIN', `TCP:${server}:${FIRST},linger=0`]
    for (let i = 0; i < 3; i++) await run(reset, 'x'.repeat(200_000))
    expect(await run(['nc', '-N', server, String(FIRST)], 'still there\n')).toBe('still there\n')
    expect(await ended(echo)).toContain('server: a stream has ended, and so has our half')
  })

  test('the relay gives a client up whose origin is not there', async (context) => {
    if (needs !== undefined) return context.skip(`it needs ${needs}`)
    const relay = await serve('relay', '--end', 'relay', '--at', `origin=${client}`)
    expect(await run(['nc', '-N', server, String(FIRST)], 'anybody?\n')).toBe('')
    expect(await ended(relay)).toEqual(['relay: given up: the origin does not answer'])
  })

  test('nc reaches socat through the relay, which carries the end of a half', async (context) => {
    if (needs !== undefined) return context.skip(`it needs ${needs}`)
    const relay = await serve('relay', '--end', 'relay', '--at', `origin=${client}`)
    // `wc` says how many lines there were when its input ends, and not before.
    const listen = `TCP-LISTEN:${FIRST + 1},reuseaddr,bind=${client}`
    const origin = run(['socat', '-t10', listen, 'SYSTEM:wc -l'])
    await listening(command('ss', '-Hltn', `sport = ${FIRST + 1}`))
    expect((await run(['nc', '-N', server, String(FIRST)], 'one\ntwo\nthree\n')).trim()).toBe('3')
    await origin
    expect(await ended(relay)).toEqual([
      'relay: client to origin: ended, and the end is passed on',
      'relay: origin to client: ended, and the end is passed on',
    ])
  })

  test('socat speaks memcached to the server of kv-client', async (context) => {
    if (needs !== undefined) return context.skip(`it needs ${needs}`)
    const store = await serve('kv-client', '--end', 'server')
    const say = async (line: string) => (await ask(FIRST + MEMCACHED, `\0\x01\0\0\0\x01\0\0${line}\r\n`)).slice(8)
    expect(await say('set greeting 0 0 5\r\nhello')).toBe('STORED\r\n')
    expect(await say('get greeting')).toBe('VALUE greeting 0 5\r\nhello\r\nEND\r\n')
    await ended(store)
  })
})

async function listening([file, ...args]: readonly string[]): Promise<void> {
  while (spawnSync(file, args, { encoding: 'utf8' }).stdout.trim() === '') {
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
