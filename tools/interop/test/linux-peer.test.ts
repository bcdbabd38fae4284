import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { missingForLab, OUR_ADDRESS, withLab } from '../src/lab.ts'

// Sends datagrams of all lengths from the kernel's socket and expects each one back.
const UDP_CLIENT = `
  const socket = require('node:dgram').createSocket('udp4')
  const lengths = [0, 1, 2, 3, 63, 64, 511, 1000, 1471, 1472]
  let next = 0
  socket.on('message', (message) => {
    if (!message.equals(Buffer.alloc(lengths[next], next))) throw new Error('wrong echo')
    if (++next === lengths.length) { console.log('all came back'); socket.close() } else send()
  })
  const send = () => socket.send(Buffer.alloc(lengths[next], next), 7, '${OUR_ADDRESS}')
  setTimeout(() => { console.log('lost ' + next); process.exit(1) }, 30_000).unref()
  send()
`

// Nobody listens on port 9: our ICMP port unreachable becomes an error of the kernel's connected socket.
const CLOSED_PORT_CLIENT = `
  const socket = require('node:dgram').createSocket('udp4')
  socket.on('error', (error) => { console.log(error.code); process.exit(0) })
  socket.connect(9, '${OUR_ADDRESS}', () => setInterval(() => socket.send('x'), 20))
  setTimeout(() => process.exit(1), 30_000)
`

test('ping -f of 100,000 packets loses none', async (context) => {
  const missing = missingForLab('ping')
  if (missing !== undefined) return context.skip(missing)
  await withLab('ping', {}, async ({ run, machine }) => {
    const { code, output } = await run('ping', '-f', '-q', '-c', '100000', OUR_ADDRESS)
    expect(output).toContain('100000 packets transmitted, 100000 received, 0% packet loss')
    expect(code).toBe(0)
    const { device } = await machine.statistics()
    expect(device?.rxPackets).toBeGreaterThanOrEqual(100_000)
    expect(device?.rxDroppedNoFrame).toBe(0)
    expect(device?.txDropped).toBe(0)
  })
})

test('fragmented pings come back whole', async (context) => {
  const missing = missingForLab('ping')
  if (missing !== undefined) return context.skip(missing)
  await withLab('frag', {}, async ({ run }) => {
    const { output } = await run('ping', '-q', '-c', '20', '-i', '0.01', '-s', '4000', OUR_ADDRESS)
    expect(output).toContain('20 packets transmitted, 20 received, 0% packet loss')
  })
})

test('tshark reads our capture, and finds nothing malformed and no wrong checksum', async (context) => {
  const missing = missingForLab('ping', 'tshark')
  if (missing !== undefined) return context.skip(missing)
  const directory = mkdtempSync(join(tmpdir(), 'pk-pcap-'))
  try {
    await withLab('pcap', { network: { probes: [{ probe: 'pcap', directory }] } }, async ({ run }) => {
      await run('ping', '-q', '-c', '5', '-i', '0.01', '-s', '3000', OUR_ADDRESS)
      const { output } = await run(process.execPath, '-e', UDP_CLIENT)
      expect(output).toContain('all came back')
      const refused = await run(process.execPath, '-e', CLOSED_PORT_CLIENT)
      expect(refused.output).toContain('ECONNREFUSED')
    })
    const [capture] = readdirSync(directory)
    const file = join(directory, capture as string)
    const read = (filter: string) => {
      const checks = ['ip.check_checksum', 'udp.check_checksum'].flatMap((name) => ['-o', `${name}:TRUE`])
      const { stdout, status, stderr } = spawnSync('tshark', ['-r', file, ...checks, '-Y', filter], {
        encoding: 'utf8',
      })
      expect(status, stderr).toBe(0)
      return stdout.split('\n').filter((line) => line !== '')
    }
    expect(read('_ws.malformed')).toEqual([])
    expect(read('ip.checksum.status == 0 || udp.checksum.status == 0 || icmp.checksum.status == 0')).toEqual([])
    expect(read('udp.port == 7').length).toBeGreaterThanOrEqual(20)
    expect(read('icmp.type == 0').length).toBeGreaterThanOrEqual(5)
    expect(read('arp.opcode == 2').length).toBeGreaterThanOrEqual(1)
    expect(read('icmp.type == 3 && icmp.code == 3').length).toBeGreaterThanOrEqual(1)
    expect(read('ip.flags.mf == 1').length).toBeGreaterThanOrEqual(10)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
