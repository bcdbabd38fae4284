import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { missingForLab, OUR_ADDRESS, PEER_ADDRESS, withLab } from '../src/lab.ts'
import { note } from '../src/note.ts'
import { WAYS } from '../src/programs/churn/index.ts'

const churnPeer = fileURLToPath(new URL('../src/peers/churn-peer.ts', import.meta.url))
const CHECKS = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`])

/** What tshark's expert view must not find in a capture of ours, as display filters. */
const NEVER = {
  'a malformed packet': '_ws.malformed',
  'a wrong checksum': 'ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0',
  'an ACK of what was never sent': 'tcp.analysis.ack_lost_segment',
  'a gap in what was sent': 'tcp.analysis.lost_segment',
  'an error': '_ws.expert.severity == "Error"',
  'a segment beyond the window': 'tcp.analysis.window_full && tcp.analysis.retransmission',
  'an option that is no option': 'tcp.options.unknown || tcp.option_len == 0',
}

/** Worth a line in the report: on a wire that loses nothing, there should be few. */
const NOTED = {
  retransmissions: 'tcp.analysis.retransmission',
  'duplicate ACKs': 'tcp.analysis.duplicate_ack',
  'out of order': 'tcp.analysis.out_of_order',
  'zero windows': 'tcp.analysis.zero_window',
  resets: 'tcp.flags.reset == 1',
}

function read(file: string, filter: string): string[] {
  const { stdout, status, stderr } = spawnSync('tshark', ['-r', file, ...CHECKS, '-Y', filter], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  expect(status, stderr).toBe(0)
  return stdout.split('\n').filter((line) => line !== '')
}

// Without the offloads of TAP: a checksum that is left to the device is no checksum in a capture before the device.
describe.each([
  ['af-xdp', {}],
  ['tap', { offloads: 'none' }],
] as const)('a capture over %s', (wire, settings) => {
  test("has nothing that tshark's expert view calls wrong", async (context) => {
    const missing = missingForLab('tshark', 'curl', 'nc')
    if (missing !== undefined) return context.skip(missing)
    const directory = mkdtempSync(join(tmpdir(), 'pk-pcap-'))
    const partition = new URL('../src/programs-partition.ts', import.meta.url)
    const network = { probes: [{ probe: 'pcap', directory }], ...settings }
    try {
      await withLab('shk', { wire, network, partition }, async (lab) => {
        const url = `http://${OUR_ADDRESS}`
        for (const path of ['/', '/bytes/3000000', '/stream/1000000', '/nowhere']) {
          const { code, output } = await lab.run('curl', '-sS', '-o', '/dev/null', `${url}${path}`)
          expect(code, output).toBe(0)
        }
        const upload = `head -c 3000000 /dev/zero | curl -sS -T - ${url}/`
        expect((await lab.run('sh', '-c', upload)).output).toContain('"bytes":3000000')
        const echo = `head -c 1000000 /dev/zero | nc -N ${OUR_ADDRESS} 7 | wc -c`
        expect((await lab.run('sh', '-c', echo)).output.trim()).toBe('1000000')
        expect((await lab.run('nc', '-z', OUR_ADDRESS, '4')).code).toBe(1)
        const peer = await lab.start('ready', process.execPath, churnPeer, 'server', PEER_ADDRESS)
        for (const way of WAYS) {
          const { output } = await lab.run(process.execPath, churnPeer, 'client', OUR_ADDRESS, way, '100', '10')
          expect(JSON.parse(output)).toMatchObject({ done: 100 })
          expect(await lab.machine.call(0, 'churn', PEER_ADDRESS, way, 100, 10)).toMatchObject({ done: 100, wrong: [] })
        }
        await peer.stop()
      })
      const [capture = ''] = readdirSync(directory)
      const file = join(directory, capture)
      expect(read(file, `tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.dst == ${OUR_ADDRESS}`).length).toBeGreaterThan(
        600,
      )
      expect(read(file, `tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.src == ${OUR_ADDRESS}`).length).toBeGreaterThan(
        599,
      )
      for (const [what, filter] of Object.entries(NEVER)) expect(read(file, filter).slice(0, 5), what).toEqual([])
      const counts = Object.entries(NOTED).map(([what, filter]) => `${read(file, filter).length} ${what}`)
      note(`${wire}: in ${read(file, 'tcp').length} segments, ${counts.join(', ')}`)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })
})
