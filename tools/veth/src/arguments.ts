import { parseArgs } from 'node:util'
import type { VethPairOptions } from '@parakernel/linux'

export const HELP = `veth: a cable to a Linux of its own, for tests and demonstrations

  veth up [options]              sets up a pair, prints its names, takes it down at Ctrl-C
  veth run [options] -- COMMAND  sets up a pair, runs COMMAND, takes it down
  veth clean                     takes down what dead processes left behind

Our end has no address: its traffic is the libOS's. The peer's end is eth0 of a network namespace. COMMAND finds
the names in its environment: VETH_INTERFACE, VETH_MAC, VETH_NAMESPACE, VETH_PEER, VETH_PEER_MAC.

  --label TEXT            part of the names, 1 to 4 of a-z and 0-9 (lab)
  --queues N              queues of each end (1)
  --mtu N                 bytes (1500; native XDP takes at most 3506)
  --peer-address CIDR     address of the peer, may be repeated (none)
  --peer-checksum-offload leave the peer's checksum offload on: it then sends partial checksums
  --steer-ports N         UDP destination port N + n reaches our queue n
  --help

Needs root, iproute2 and Linux 5.9 or newer (6.6 for --steer-ports).
`

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }
  | { readonly kind: 'clean' }
  | {
      readonly kind: 'up' | 'run'
      readonly pair: VethPairOptions
      readonly portBase?: number
      readonly program: string[]
    }

/** Parses the words after the program's name. Never throws: what is wrong becomes a command that says so. */
export function parseCommand(words: readonly string[]): Command {
  const wrong = (message: string): Command => ({ kind: 'wrong', message })
  let parsed: ReturnType<typeof parse>
  try {
    parsed = parse(words)
  } catch (error) {
    return wrong((error as Error).message)
  }
  const { values, positionals } = parsed
  if (values.help) return { kind: 'help' }
  const [kind, ...program] = positionals
  if (kind === 'clean') return program.length > 0 ? wrong('clean takes no arguments') : { kind }
  if (kind !== 'up' && kind !== 'run') {
    return wrong(kind === undefined ? 'say what to do: up, run or clean' : `unknown command ${kind}: up, run or clean`)
  }
  if (kind === 'up' && program.length > 0) return wrong('up takes no command; use run')
  if (kind === 'run' && program.length === 0) return wrong('run needs a command after --')

  const numbers: Record<string, number> = {}
  for (const [name, lowest, highest] of [
    ['queues', 1, 256],
    ['mtu', 68, 65_535],
    ['steer-ports', 1, 65_535],
  ] as const) {
    const text = values[name]
    if (text === undefined) continue
    const value = Number(text)
    if (!Number.isInteger(value) || value < lowest || value > highest) {
      return wrong(`--${name} ${text}: a whole number from ${lowest} to ${highest} is needed`)
    }
    numbers[name] = value
  }
  const pair: VethPairOptions = {
    label: values.label ?? 'lab',
    queues: numbers['queues'] ?? 1,
    mtu: numbers['mtu'] ?? 1500,
    peerAddresses: values['peer-address'] ?? [],
    peerChecksumOffload: values['peer-checksum-offload'] ?? false,
  }
  const portBase = numbers['steer-ports']
  return { kind, pair, program, ...(portBase === undefined ? {} : { portBase }) }
}

function parse(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      label: { type: 'string' },
      queues: { type: 'string' },
      mtu: { type: 'string' },
      'peer-address': { type: 'string', multiple: true },
      'peer-checksum-offload': { type: 'boolean' },
      'steer-ports': { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
}
