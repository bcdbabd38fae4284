import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createVethPair, steerPortsToQueues } from '@parakernel/linux'
import { expect, test } from 'vitest'
import { missingForLab, OUR_ADDRESS, PEER_ADDRESS } from '../src/lab.ts'

const KEYS = 1_000_000
const PORT = 9000
const server = fileURLToPath(new URL('../../../apps/kvs/src/main.ts', import.meta.url))
const client = fileURLToPath(new URL('../src/million-keys.ts', import.meta.url))

// Minutes on a machine that has other things to do.
const TIMEOUT = 300_000

test(
  `a Linux client writes and verifies ${KEYS} keys through AF_XDP, none wrong`,
  async (context) => {
    const missing = missingForLab()
    if (missing !== undefined) return context.skip(missing)
    using pair = createVethPair({ label: 'keys', queues: 2, peerAddresses: [`${PEER_ADDRESS}/24`] })
    const steering = steerPortsToQueues(pair, { portBase: PORT })
    const serving = start(process.execPath, [
      ...['--conditions=source', server, 'serve', '--port', `${PORT}`],
      ...['--backend', 'af-xdp', '--interface', pair.interface, '--address', `${OUR_ADDRESS}/24`],
      // Room for every key: in a cache's mode what is evicted would be missing.
      ...['--partitions', '2', '--heap', '256MiB', '--app.mode', 'store'],
    ])
    try {
      await expect.poll(() => serving.output(), { timeout: 30_000 }).toContain('serving at')
      const [file, args] = pair.command(
        process.execPath,
        '--conditions=source',
        client,
        OUR_ADDRESS,
        `${PORT}`,
        `${KEYS}`,
      )
      const run = start(file, args)
      await run.ended
      expect(run.output(), serving.output()).toContain('{')
      expect(JSON.parse(run.output())).toEqual({ partitions: 2, right: KEYS, missing: 0, wrong: 0 })
    } finally {
      serving.child.kill('SIGTERM')
      await serving.ended
      steering.detach()
    }
  },
  TIMEOUT,
)

interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<unknown>
  output(): string
}

function start(file: string, args: readonly string[]): Running {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  return { child, ended: once(child, 'close'), output: () => output }
}
