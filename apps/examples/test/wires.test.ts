import { createLabNamespace, createVethPair, probeLab } from '@parakernel/linux'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXAMPLES } from '../src/catalogue.ts'
import { goldenOf, joined } from './support/golden.ts'
import { type Peer, startPeer } from './support/peer.ts'
import { type Run, serving, start } from './support/run.ts'

// The first end of an example on our stack in this process, the others on the kernel's sockets in a namespace at the other end of the wire.

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

describe.each(Object.entries(WIRES))('on %s', (_, lay) => {
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

  test.for(EXAMPLES.filter(({ inTurn }) => inTurn !== true))(
    '$name says what it always says',
    async (example, context) => {
      if (!missing.available) return context.skip(`a lab needs ${missing.missing}`)
      const [first, ...others] = example.ends.map(({ name }) => name)
      const here = [example.name, '--end', first, ...at(others, PEER), '--address', `${OURS}/24`, '--run', 'inline']
      const there = [example.name, '--end', others.join(','), ...at([first], OURS), '--address', PEER]
      const onOurs = () => start([...here, ...ends.settings])
      const onTheirs = () => peer.start([...there, '--libos', 'host', '--run', 'inline'])

      const oursActs = example.ends[0].acts === true
      const server = oursActs ? onTheirs() : onOurs()
      await serving(server)
      const client = oursActs ? onOurs() : onTheirs()
      await wellEnded(client)
      server.interrupt()
      await wellEnded(server)
      expect(joined(example.name, server.printed(), client.printed())).toBe(goldenOf(example.name))
    },
  )
})

const at = (ends: readonly string[], address: string) => ['--at', ends.map((end) => `${end}=${address}`).join(',')]

async function wellEnded(run: Run): Promise<void> {
  expect(await run.exited, run.noted()).toBe(0)
}
