import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ParakernelError } from '@parakernel/hal'
import { partitionReports } from '../run/sampler.ts'
import { startServer } from '../run/start-server.ts'
import type { AppSettings } from '../settings.ts'
import { exitCodeOf, INTERRUPTED } from './exit-codes.ts'
import { requestOf } from './program.ts'

const SERVER_ADDRESS = '10.111.0.1'
const CLIENT_ADDRESS = '10.111.0.2'

/**
 * The main job on AF_XDP: a veth pair with one end in a namespace, the server on the other end, and `kvs load` as a plain
 * Linux program in the namespace. Takes everything down at its end, also when it is interrupted.
 */
export async function afXdp(argv: readonly string[]): Promise<void> {
  const lab = await import('@parakernel/linux')
  const possible = lab.probeLab()
  const overrides = { network: { libos: 'net', backend: 'af-xdp', interface: 'veth', address: `${SERVER_ADDRESS}/24` } }
  if (!possible.available && !argv.includes('--help') && !argv.includes('-h')) {
    throw new ParakernelError('EPERM', `a veth pair needs ${possible.missing}`, {
      subject: 'kvs af-xdp',
      remedy: possible.remedy,
    })
  }
  const command = {
    name: 'kvs af-xdp',
    summary:
      'makes a veth pair and a namespace, serves on AF_XDP, loads from the namespace, and removes it all. Needs root.',
    examples: ['kvs af-xdp', 'kvs af-xdp --partitions 2 --workload mica-small-zipf-50 --duration 10'],
  }
  const preview = await requestOf(command, argv, overrides as never)
  if (preview === undefined) return
  const { partitions } = preview.config.settings
  const pair = lab.createVethPair({ label: 'kvs', queues: partitions, peerAddresses: [`${CLIENT_ADDRESS}/24`] })
  const steering: { detach(): void }[] = []
  let child: ChildProcess | undefined
  try {
    const { app, config } = (await requestOf(
      command,
      [...argv, '--network.interface', pair.interface],
      overrides as never,
    ))!
    if (partitions > 1) {
      for (const portBase of [app.port, app.memcachedPort]) {
        if (portBase > 0) steering.push(lab.steerPortsToQueues(pair, { portBase }))
      }
    }
    const server = await startServer(config, app)
    try {
      const main = process.argv[1] ?? fileURLToPath(import.meta.url)
      const [file, args] = pair.command(process.execPath, ...process.execArgv, main, 'load', ...loadFlags(app))
      // The channel is how the load sees that this process is gone, however it went.
      child = spawn(file, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })
      process.exitCode = await ended(child, server.exited)
      // Who was interrupted, or lost its server, has nothing more to say.
      if (child.exitCode === null) return
      for (const [i, { store, server: counters }] of (await partitionReports(server)).entries()) {
        console.log(
          `partition ${i}: ${store.requests} requests, ${store.hits} hits, ${store.misses} misses, ` +
            `${counters.handedOver} handed over, ${counters.noFrame + counters.replyDropped} dropped`,
        )
      }
      const { device } = await server.statistics()
      const counters = Object.entries(device ?? {}).filter(([, value]) => value > 0)
      console.log(`device: ${counters.map(([name, value]) => `${name} ${value.toLocaleString('en')}`).join(', ')}`)
    } finally {
      if (child?.exitCode === null) child.kill('SIGTERM')
      await server.stop()
    }
  } finally {
    for (const one of steering) one.detach()
    pair.remove()
  }
}

function loadFlags(app: AppSettings): string[] {
  const flags = ['--app.server', SERVER_ADDRESS]
  for (const name of [
    'port',
    'workload',
    'keys',
    'duration',
    'rate',
    'outstanding',
    'batch',
    'seed',
    'verify',
    'report',
  ] as const) {
    flags.push(`--app.${name}`, `${app[name]}`)
  }
  return flags
}

/**
 * The child's exit code, or that of an interruption when a signal stopped the server or the child: Ctrl-C reaches both, in
 * either order.
 */
function ended(child: ChildProcess, stopped: Promise<{ readonly reason: string }>): Promise<number> {
  return Promise.race([
    new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        if (signal !== null && signal !== 'SIGINT') console.error(`kvs af-xdp: the load was ended by ${signal}`)
        resolve(code ?? (signal === null ? 1 : exitCodeOf(signal)))
      })
    }),
    stopped.then(({ reason }) => (reason === 'signal' ? INTERRUPTED : 1)),
  ])
}
