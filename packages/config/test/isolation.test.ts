import { readFileSync } from 'node:fs'
import {
  createVethPair,
  KernelUdpSocket,
  LinuxHost,
  missingCapabilities,
  probeLab,
  socketAddress,
} from '@parakernel/linux'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { compose, defineConfig } from '../src/index.ts'

const partition = new URL('./fixtures/peer.ts', import.meta.url)
const OURS = '10.76.0.1'
const PEER = '10.76.0.2'

function requires(context: TestContext): void {
  const lab = probeLab()
  if (!lab.available) context.skip(`needs ${lab.missing}`)
  const missing = missingCapabilities('CAP_BPF', 'CAP_NET_RAW')
  if (missing.length > 0) context.skip(`needs ${missing.join(', ')}`)
  if (process.getuid?.() !== 0) context.skip('needs root, to give root up')
}

test('one line makes the partition a process of another user: the same code answers the same', async (context) => {
  requires(context)
  const pair = createVethPair({ label: 'ci', peerAddresses: [`${PEER}/24`] })
  onTestFinished(() => pair.remove())
  const config = defineConfig({
    isolation: 'process',
    network: {
      ...{ libos: 'net', backend: 'af-xdp', interface: pair.interface, queues: 1, ringSize: 256 },
      ...{ address: `${OURS}/24`, addresses: [`${OURS}/24`] },
    },
  })
  const machine = await compose(config, { partition, signals: false })
  onTestFinished(() => machine.stop())
  expect(await machine.call(0, 'where')).toMatchObject({ kind: 'memfd', host: 'linux' })
  const socket = pair.inside(() => new KernelUdpSocket(PEER, 6000))
  onTestFinished(() => socket.close())
  let answer: Uint8Array | undefined
  await expect
    .poll(
      () => {
        socket.sendTo(new TextEncoder().encode('over there'), socketAddress(OURS, 7))
        answer ??= socket.receive()
        return answer && new TextDecoder().decode(answer)
      },
      { timeout: 20_000 },
    )
    .toBe('over there')
  expect(machine.device?.statistics().txPackets).toBeGreaterThan(0)
  expect((await machine.statistics()).partitions[0]).toBeDefined()
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1').trim().split(/\s+/)
  const users = children.map((pid) => /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1])
  expect(users).toContain('61184')
  await machine.stop()
})

test('what cannot be a process says so, before anything runs', async (context) => {
  try {
    new LinuxHost()
  } catch (error) {
    context.skip((error as Error).message)
  }
  const network = { libos: 'net', backend: 'emulated', address: '10.0.0.1/24' } as const
  const start = (more: object, options: object = {}) =>
    compose(defineConfig({ isolation: 'process', network, ...more }), { partition, signals: false, ...options })
  await expect(start({})).rejects.toMatchObject({ code: 'EPERM', remedy: expect.stringContaining('af-xdp') })
  await expect(start({ partitions: 2 })).rejects.toMatchObject({ code: 'ENOTSUP', subject: 'isolation' })
  await expect(start({}, { inline: true })).rejects.toMatchObject({ code: 'ENOTSUP', subject: 'isolation' })
})
