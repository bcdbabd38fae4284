import { compose, configFromCommandLine, exitWithMessage } from '@parakernel/config'

const config = await configFromCommandLine({
  name: 'echo',
  summary: 'sends every UDP datagram back. What it runs on is config.',
  examples: ['echo', 'echo --libos host', 'echo --backend af-xdp --interface veth0 --address 10.0.0.1/24'],
  app: { port: { type: 'integer', description: 'UDP port', min: 1, max: 65_535, default: 7777 } },
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
  const say = async (text: string) => console.log(`> ${text}\n< ${await client.call(0, 'ask', text)}`)
  for (const text of ['hello', 'is there an echo here?', 'bye']) await say(text)
  await client.stop()
  await echo.stop()
} else console.log(`echo serves UDP port ${app.port} of ${address}; Ctrl-C ends it`)
