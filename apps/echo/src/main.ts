import { compose, configFromCommandLine, exitWithMessage } from '@parakernel/config'

const config = await configFromCommandLine({
  name: 'echo',
  summary: 'sends back every UDP datagram, and every byte of a TCP connection. What it runs on is config.',
  examples: ['echo', 'echo --libos host', 'echo --backend af-xdp --interface veth0 --address 10.0.0.1/24'],
  app: { port: { type: 'integer', description: 'UDP and TCP port', min: 1, max: 65_535, default: 7777 } },
  application: import.meta.url,
})
const { app, network } = config.settings
const partition = new URL('./echo.js', import.meta.url)
const echo = await compose(config, { name: 'echo', partition, data: app }).catch(exitWithMessage)
const [address] = await echo.call<string[]>(0, 'addresses')

if (network.backend === 'emulated') {
  // Nobody outside this process is on an emulated network, so a second NIC of it asks.
  const nic = { backend: 'emulated', network: `${network.backendOptions.network}`, address: '10.0.0.2/24' } as const
  const peer = { address, port: Number(app.port) }
  const client = await compose({ network: nic }, { partition: new URL('./client.js', import.meta.url), data: peer })
  const say = async (how: string, text: string) => console.log(`> ${text}\n< ${await client.call(0, how, text)}`)
  for (const text of ['hello', 'is there an echo here?']) await say('ask', text)
  await say('askByStream', 'bye')
  await client.stop()
  await echo.stop()
} else console.log(`echo serves port ${app.port} of ${address ?? 'no address yet'}; Ctrl-C ends it`)
