import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createLabNamespace, createVethPair, probeLab } from '@parakernel/linux'
import { expect, onTestFinished, test } from 'vitest'

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const node = [process.execPath, '--conditions=source']

const TRANSCRIPT = ['> hello', '< hello', '> is there an echo here?', '< is there an echo here?', '> bye', '< bye', '']

interface Program {
  readonly child: ChildProcess
  readonly exited: Promise<unknown[]>
  /** What it has printed so far. */
  printed(): string
}

function start(command: readonly string[], ...args: string[]): Program {
  const [file, ...rest] = [...command, ...args]
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk
  })
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk
  })
  return { child, exited: once(child, 'exit'), printed: () => text }
}

const echo = (...args: string[]) => start(node, pathOf('../src/main.ts'), ...args)

async function serving(program: Program): Promise<void> {
  while (!program.printed().includes('Ctrl-C ends it')) {
    if (program.child.exitCode !== null) throw new Error(program.printed())
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** The conversation with a client on the kernel's sockets, then an orderly end. */
async function converse(program: Program, address: string, port: number, where: readonly string[] = []): Promise<void> {
  await serving(program)
  const client = start([...where, ...node], pathOf('host-client.ts'), address, String(port))
  expect(await client.exited).toEqual([0, null])
  expect(client.printed().split('\n')).toEqual(TRANSCRIPT)
  program.child.kill('SIGINT')
  expect(await program.exited, program.printed()).toEqual([0, null])
}

test('on the emulated network it talks to itself, and ends', async () => {
  const program = echo()
  expect(await program.exited).toEqual([0, null])
  expect(program.printed().split('\n')).toEqual(TRANSCRIPT)
})

test('partitions, a probe and a file, by flags', async () => {
  const program = echo(
    '--config',
    pathOf('../configs/emulated.ts'),
    '--partitions',
    '2',
    '--probes',
    '[{"probe":"faults"}]',
  )
  expect(await program.exited).toEqual([0, null])
  expect(program.printed().split('\n')).toEqual(TRANSCRIPT)
})

test('on the host', async () => {
  await converse(echo('--config', pathOf('../configs/host.yaml'), '--port', '17777'), '127.0.0.1', 17_777)
})

test('on AF_XDP, with the client in a namespace', async (ctx) => {
  const possible = probeLab()
  if (!possible.available) return ctx.skip(`the lab needs ${possible.missing}`)
  const pair = createVethPair({ label: 'echo', queues: 2, peerAddresses: ['10.77.0.2/24'] })
  onTestFinished(() => pair.remove())
  const config = pathOf('../configs/af-xdp.ts')
  const program = echo('--config', config, '--interface', pair.interface, '--address', '10.77.0.1/24')
  const [file, args] = pair.command()
  await converse(program, '10.77.0.1', 7777, [file, ...args])
})

test('on TAP, with the kernel at the other end, in two partitions', async (ctx) => {
  const possible = probeLab()
  if (!possible.available) return ctx.skip(`the lab needs ${possible.missing}`)
  const lab = createLabNamespace({ label: 'echt' })
  onTestFinished(() => lab.remove())
  const program = echo('--config', pathOf('../configs/tap.ts'), '--namespace', lab.namespace, '--partitions', '2')
  const [file, args] = lab.command()
  await converse(program, '10.0.0.1', 7777, [file, ...args])
})

test('--help and --print-config print and end', async () => {
  const help = echo('--help', '--libos', 'host')
  expect(await help.exited).toEqual([0, null])
  expect(help.printed()).toMatch(/^echo: sends back every UDP datagram, and every byte of a TCP connection/)
  expect(help.printed()).toMatch(/--app\.port +UDP and TCP port: an integer from 1 to 65535 \(default 7777\)/)
  const print = echo('--print-config', '--port', '9')
  expect(await print.exited).toEqual([0, null])
  expect(print.printed()).toMatch(/app\.port +9 +--port/)
})

test('a wrong config ends it with 2', async () => {
  const program = echo('--backend', 'emulatd', '--port', '0')
  expect(await program.exited).toEqual([2, null])
  expect(program.printed()).toMatch(/did you mean "emulated"\?/)
  expect(program.printed()).toMatch(/app\.port: found 0/)
})

test('what it cannot have is one line, and ends it with 1', async () => {
  const taken = createSocket('udp4').bind(0, '127.0.0.1')
  onTestFinished(() => void taken.close())
  await once(taken, 'listening')
  const program = echo('--libos', 'host', '--port', String(taken.address().port))
  expect(await program.exited).toEqual([1, null])
  expect(program.printed()).toMatch(/^partition echo: did not start: udp .*EADDRINUSE.*\n$/)
})
