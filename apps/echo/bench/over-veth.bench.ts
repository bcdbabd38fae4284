/**
 * TCP over a veth pair: our echo server on AF_XDP against the same server over node:net on the kernel's stack, with the same
 * Linux client in a namespace on the other core. Needs root, iproute2, taskset and two free cores.
 *
 * `spin`: the server's loop never sleeps; `hybrid`: it spins for 5 us, then sleeps. node:net always sleeps.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createVethPair, probeLab } from '@parakernel/linux'
import { type BenchCase, benchCases } from '@parakernel/tool-bench'
import type { TcpPlan, TcpResult } from './tcp-client.ts'

const ADDRESS = '10.114.0.1'
const PORT = 7777
const SECONDS = 3
const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const node = [process.execPath, '--conditions=source']

type Server = 'spin' | 'hybrid' | 'node:net'

function serverCommand(server: Server, nic: string): string[] {
  if (server === 'node:net') return [...node, pathOf('./node-echo.ts'), ADDRESS, String(PORT)]
  const wait = server === 'spin' ? ['--wait.kind', 'spin'] : ['--wait.kind', 'hybrid', '--wait.spin', '5000']
  const network = ['--backend', 'af-xdp', '--interface', nic, '--address', `${ADDRESS}/24`, '--port', String(PORT)]
  return [...node, pathOf('../src/main.ts'), ...network, ...wait]
}

async function measure(server: Server, plan: Pick<TcpPlan, 'kind' | 'connections'>): Promise<TcpResult> {
  const pair = createVethPair({ label: 'tcpe', peerAddresses: ['10.114.0.2/24'] })
  const running: ChildProcess[] = []
  try {
    // Of this namespace alone: enough ports for connections that come and go.
    const [file, words] = pair.command(
      'sysctl',
      '-q',
      '-w',
      'net.ipv4.ip_local_port_range=1024 65535',
      'net.ipv4.tcp_tw_reuse=1',
    )
    execFileSync(file, words, { stdio: 'ignore' })
    if (server === 'node:net') execFileSync('ip', ['addr', 'add', `${ADDRESS}/24`, 'dev', pair.interface])
    const serving = spawn('taskset', ['-c', '0', ...serverCommand(server, pair.interface)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    running.push(serving)
    await once(serving.stdout as NonNullable<typeof serving.stdout>, 'data', { signal: AbortSignal.timeout(20_000) })
    const full: TcpPlan = { ...plan, address: ADDRESS, port: PORT, seconds: SECONDS, bytes: 64 }
    const client = pair.command('taskset', '-c', '1', ...node, pathOf('./tcp-client.ts'), JSON.stringify(full))
    const loading = spawn(client[0], client[1], { stdio: ['ignore', 'pipe', 'inherit'] })
    running.push(loading)
    let output = ''
    loading.stdout.on('data', (chunk) => {
      output += chunk
    })
    const [code] = await once(loading, 'exit')
    if (code !== 0) throw new Error(`the client ended with ${code}`)
    const result = JSON.parse(output) as TcpResult
    if (result.wrong > 0) throw new Error(`${result.wrong} answers were wrong`)
    return result
  } finally {
    for (const child of running) child.kill('SIGKILL')
    pair.remove()
  }
}

const cases: Record<string, BenchCase> = {}
for (const connections of [1, 16, 256]) {
  for (const server of ['spin', 'hybrid', 'node:net'] satisfies Server[]) {
    const name = server === 'node:net' ? server : `ours, ${server}`
    cases[`echo of 64 B, ${connections} connection${connections === 1 ? '' : 's'}: ${name}`] = async () => {
      const { count, seconds, p50, p99 } = await measure(server, { kind: 'echo', connections })
      return { value: count / seconds / 1000, 'p50 us': p50 / 1000, 'p99 us': p99 / 1000 }
    }
  }
}
for (const server of ['hybrid', 'node:net'] satisfies Server[]) {
  const name = server === 'node:net' ? server : `ours, ${server}`
  cases[`connections opened, used and closed, 64 at a time: ${name}`] = async () => {
    const { count, seconds, p50, p99 } = await measure(server, { kind: 'churn', connections: 64 })
    return { value: count / seconds / 1000, 'p50 us': p50 / 1000, 'p99 us': p99 / 1000 }
  }
}

await benchCases(
  import.meta,
  {
    title: 'TCP over veth: our stack on AF_XDP and node:net',
    unit: 'k per second',
    better: 'more',
    unavailable: () => {
      const lab = probeLab()
      return lab.available ? undefined : `needs ${lab.missing}. ${lab.remedy}`
    },
  },
  cases,
)
