import { readFileSync } from 'node:fs'

/** By the number in the kernel's listing. */
const STATES: Readonly<Record<number, string>> = {
  1: 'established',
  2: 'syn-sent',
  3: 'syn-received',
  4: 'fin-wait-1',
  5: 'fin-wait-2',
  6: 'time-wait',
  7: 'closed',
  8: 'close-wait',
  9: 'last-ack',
  10: 'listen',
  11: 'closing',
  12: 'syn-received',
}

/** The state of a connection between two ports, in the namespace that the thread is in; `closed` when there is none. */
export function connectionState(localPort: number, remotePort: number): string {
  for (const file of ['tcp', 'tcp6']) {
    const [, ...lines] = readFileSync(`/proc/thread-self/net/${file}`, 'utf8').trim().split('\n')
    for (const line of lines) {
      const [, local, remote, state] = line.trim().split(/\s+/)
      const portOf = (address: string) => Number.parseInt(address.slice(address.indexOf(':') + 1), 16)
      if (portOf(local) === localPort && portOf(remote) === remotePort) return STATES[Number.parseInt(state, 16)]
    }
  }
  return 'closed'
}
