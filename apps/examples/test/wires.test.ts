import { createLabNamespace, createVethPair, probeLab } from '@parakernel/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXAMPLES } from '../src/catalogue.ts'
import type { Example } from '../src/example.ts'
import { goldenOf, joined } from './support/golden.ts'
import { type Peer, startPeer } from './support/peer.ts'
import { serving, start } from './support/run.ts'

// One end of an example on our stack in this process, the others on the kernel's sockets in a namespace at the other end of the wire.

const OURS = '10.114.0.1'
const PEER = '10.114.0.2'

const WIRES = {
  'AF_XDP over a veth pair': (): Ends => {
    const pair = createVethPair({ label: 'exx', peerAddresses: [`${PEER}/24`] })
    return { ...pair, settings: ['--backend', 'af-xdp', '--interface', pair.interface] }
  },
  'TAP, with the kernel behind it': (): Ends => {
    const lab = createLabNamespace({ label: 'ext' })
    const wire = ['--namespace', lab.namespace, '--hostAddresses', `${PEER}/24`]
    return { ...lab, settings: ['--backend', 'tap', '--interface', 'eth0', ...wire] }
  },
}

interface Ends {
  readonly settings: readonly string[]
  command(...program: string[]): [file: string, args: string[]]
  remove(): void
}

const missing = probeLab()
const ONLINE = EXAMPLES.filter(({ inTurn }) => inTurn !== true)

describe.each(Object.entries(WIRES))('on %s', (wire, lay) => {
  let ends: Ends
  let peer: Peer

  beforeAll(() => {
    if (!missing.available) return
    ends = lay()
    peer = startPeer(ends.command)
  })

  afterAll(async () => {
    await peer?.stop()
    ends?.remove()
  })

  /** Some ends of an example here, the others across the wire; the transcript that both make. */
  async function across(example: Example, here: readonly string[], there: readonly string[]): Promise<string> {
    const settings = [...at(there, PEER), '--address', `${OURS}/24`, '--run', 'inline', ...ends.settings]
    const onOurs = () => start([example.name, '--end', here.join(','), ...settings])
    const kernel = [...at(here, OURS), '--address', PEER, '--run', 'inline', '--libos', 'host']
    const onTheirs = () => peer.start([example.name, '--end', there.join(','), ...kernel])

    const actsHere = example.ends.some(({ name, acts }) => acts === true && here.includes(name))
    const server = actsHere ? onTheirs() : onOurs()
    await serving(server)
    const client = actsHere ? onOurs() : onTheirs()
    expect(await client.exited, client.noted()).toBe(0)
    server.interrupt()
    expect(await server.exited, server.noted()).toBe(0)
    return joined(example.name, server.printed(), client.printed())
  }

  test.for(ONLINE)('$name says what it always says', async (example, context) => {
    if (!missing.available) return context.skip(`a lab needs ${missing.missing}`)
    const [first, ...others] = example.ends.map(({ name }) => name)
    expect(await across(example, [first], others)).toBe(goldenOf(example.name))
  })

  // On TAP the kernel has no address before our end has made the interface: it cannot serve first.
  const swapped = wire.startsWith('TAP') ? [] : ONLINE.filter((example) => example.ends.length === 2)
  test.for(swapped)('$name, with its ends changed over', async (example, context) => {
    if (!missing.available) return context.skip(`a lab needs ${missing.missing}`)
    const [first, second] = example.ends.map(({ name }) => name)
    expect(await across(example, [second], [first])).toBe(goldenOf(example.name))
  })
})

const at = (ends: readonly string[], address: string) => ['--at', ends.map((end) => `${end}=${address}`).join(',')]
