import { spawn, spawnSync } from 'node:child_process'
import { compose, type Machine } from '@parakernel/config'
import { createVethPair, probeLab, type VethPair } from '@parakernel/linux'

/** Why the lab cannot be built here, or undefined. */
export function missingForLab(...programs: string[]): string | undefined {
  const lab = probeLab()
  if (!lab.available) return `needs ${lab.missing}`
  const missing = programs.filter((program) => spawnSync('which', [program]).status !== 0)
  return missing.length === 0 ? undefined : `needs ${missing.join(', ')}`
}

export const OUR_ADDRESS = '10.112.0.1'
export const PEER_ADDRESS = '10.112.0.2'

export interface Lab {
  readonly pair: VethPair
  readonly machine: Machine
  /** Runs a program inside the peer's namespace, with the loop of this process running; resolves with what it printed. */
  run(...program: string[]): Promise<{ readonly code: number; readonly output: string }>
}

/** Our end of a cable on AF_XDP with the echo partition above, a plain Linux on the other end; taken down at the end. */
export async function withLab(label: string, network: Record<string, unknown>, body: (lab: Lab) => Promise<void>) {
  const pair = createVethPair({ label, peerAddresses: [`${PEER_ADDRESS}/24`] })
  try {
    const config = {
      network: { libos: 'net', backend: 'af-xdp', interface: pair.interface, address: `${OUR_ADDRESS}/24`, ...network },
    }
    const machine = await compose(config as never, { partition: new URL('./echo-partition.ts', import.meta.url) })
    try {
      await body({ pair, machine, run: (...program) => run(pair, program) })
    } finally {
      await machine.stop()
    }
  } finally {
    pair.remove()
  }
}

function run(pair: VethPair, program: readonly string[]): Promise<{ code: number; output: string }> {
  const [file, args] = pair.command(...program)
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    output += chunk
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 1, output }))
  })
}
