import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { OUR_ADDRESS, PEER_ADDRESS, type Wire } from '../src/lab.ts'
import { note } from '../src/note.ts'
import { type Outcomes, WAYS } from '../src/programs/churn/index.ts'
import type { IperfResult, TestReport } from '../src/programs/iperf/index.ts'
import { patternHash, patternPieces } from '../src/programs/pattern.ts'
import { gigabits, succeed, withPrograms } from '../src/with-programs.ts'

const MEGABYTES = 100
const LENGTH = MEGABYTES * 1_000_000
const LONG = process.env['PARAKERNEL_LONG'] === '1'
/** Of each way: 10,000 with PARAKERNEL_LONG=1, and fewer where the tests themselves are what is tested. */
const connectionsOver = (wire: Wire) => (wire === 'host' ? 1000 : LONG ? 10_000 : 2000)
/** Of a transfer or a load: long enough for a figure with PARAKERNEL_LONG=1, else for everything to happen once. */
const SECONDS = LONG ? 3 : 1
const churnPeer = fileURLToPath(new URL('../src/peers/churn-peer.ts', import.meta.url))

const WIRES: readonly Wire[] = ['af-xdp', 'tap', 'host']

describe.each(WIRES)('over %s', (wire) => {
  test(`curl gets and puts ${MEGABYTES} MB, and the hashes match`, (context) =>
    withPrograms(context, 'curl', wire, ['curl', 'sha256sum'], async (lab) => {
      const url = `http://${OUR_ADDRESS}`
      const directory = mkdtempSync(join(tmpdir(), 'pk-curl-'))
      const file = join(directory, 'pattern')
      try {
        const speed = ['-sS', '--fail', '-o', file, '-w', '%{size_download} %{speed_download}']
        for (const kind of ['bytes', 'stream']) {
          const output = await succeed(lab, 'curl', ...speed, `${url}/${kind}/${LENGTH}`)
          expect(output).toMatch(new RegExp(`^${LENGTH} `))
          note(`${wire}: curl GET /${kind}, ${gigabits(Number(output.split(' ')[1]))}`)
          expect(await succeed(lab, 'sha256sum', file)).toContain(patternHash(LENGTH))
        }
        const expected = { bytes: LENGTH, sha256: patternHash(LENGTH) }
        const uploads = [
          ['-T', file],
          ['-T', file, '-H', 'Transfer-Encoding: chunked'],
          ['--data-binary', `@${file}`],
        ]
        for (const upload of uploads) {
          const output = await succeed(lab, 'curl', '-sS', '--fail', '-w', '%{speed_upload}', ...upload, `${url}/`)
          expect(JSON.parse(output.split('\n')[0])).toEqual(expected)
          note(`${wire}: curl PUT, ${gigabits(Number(output.split('\n')[1]))}`)
        }
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    }))

  test('curl keeps a connection alive, and reads answers of every kind', (context) =>
    withPrograms(context, 'http', wire, ['curl'], async (lab) => {
      const url = `http://${OUR_ADDRESS}`
      const twice = [
        'curl',
        '-sS',
        '-o',
        '/dev/null',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code} %{num_connects}\\n',
        `${url}/`,
        `${url}/`,
      ]
      expect(await succeed(lab, ...twice)).toBe('200 1\n200 0\n')
      const status = ['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}']
      expect(await succeed(lab, ...status, `${url}/nowhere`)).toBe('404')
      expect(await succeed(lab, ...status, '-X', 'DELETE', `${url}/`)).toBe('405')
      expect(await succeed(lab, ...status, '-I', `${url}/bytes/1000000`)).toBe('200')
      expect(await succeed(lab, ...status, '-0', `${url}/bytes/1000`)).toBe('200')
      expect(await succeed(lab, ...status, '-H', 'Connection: close', `${url}/stream/1000`)).toBe('200')
    }))

  test('nc sends and receives at once, and half closes', (context) =>
    withPrograms(context, 'nc', wire, ['nc', 'sha256sum'], async (lab) => {
      const directory = mkdtempSync(join(tmpdir(), 'pk-nc-'))
      const file = join(directory, 'pattern')
      const length = 10_000_000
      try {
        writeFileSync(file, Buffer.concat([...patternPieces(length)]))
        // nc says its end after the file, and hears the echo to its end.
        const echoed = await succeed(lab, 'sh', '-c', `nc -N ${OUR_ADDRESS} 7 < ${file} | sha256sum`)
        expect(echoed).toContain(patternHash(length))
        // The other way round: nc listens, sends a file, and gets another.
        const received = join(directory, 'received')
        const script = `echo ready; exec nc -N -l ${PEER_ADDRESS} 4000 < ${file} > ${received}`
        const peer = await lab.start('ready', 'sh', '-c', script)
        const listening = () => lab.run('sh', '-c', `ss -Hltn sport = :4000 | grep -q LISTEN`)
        await expect.poll(async () => (await listening()).code).toBe(0)
        const answer = await lab.machine.call(0, 'exchange', { address: PEER_ADDRESS, port: 4000 }, length)
        expect(answer).toEqual({ bytes: length, sha256: patternHash(length) })
        await peer.stop()
        expect(await succeed(lab, 'sha256sum', received)).toContain(patternHash(length))
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    }))

  test('nc takes from chargen what it likes, and gives to discard', (context) =>
    withPrograms(context, 'gen', wire, ['nc', 'head'], async (lab) => {
      const taken = await lab.run('sh', '-c', `nc ${OUR_ADDRESS} 19 < /dev/null | head -c 5000000 | wc -c`)
      expect(taken.output.trim()).toBe('5000000')
      await succeed(lab, 'sh', '-c', `head -c 20000000 /dev/zero | nc -N ${OUR_ADDRESS} 9`)
    }))

  describe('iperf3', () => {
    for (const parallel of [1, 4]) {
      for (const reverse of [false, true]) {
        const way = reverse ? 'from us' : 'to us'
        test(`as a client, ${parallel} connections ${way}`, (context) =>
          withPrograms(context, 'ipc', wire, ['iperf3'], async (lab) => {
            const options = ['-c', OUR_ADDRESS, '-C', 'reno', '-t', `${SECONDS}`, '-P', `${parallel}`, '-J']
            const output = await succeed(lab, 'iperf3', ...options, ...(reverse ? ['-R'] : []))
            const { end } = JSON.parse(output)
            const { sum_received, sum_sent } = end
            expect(sum_received.bytes).toBeGreaterThan(1_000_000)
            expect(end.streams.length).toBe(parallel)
            type Heard = { reports: TestReport[]; failures: string[] }
            const heard = () => lab.machine.call<Heard>(0, 'iperfReports')
            // The client's last word may still be on its way.
            await expect.poll(async () => (await heard()).reports.length).toBe(1)
            expect((await heard()).failures).toEqual([])
            const retransmits = sum_sent.retransmits === undefined ? '' : `, ${sum_sent.retransmits} retransmits`
            note(`${wire}: iperf3 ${way}, ${parallel} x, ${gigabits(sum_received.bits_per_second / 8)}${retransmits}`)
          }))

        test(`as a server, ${parallel} connections ${reverse ? 'to us' : 'from us'}`, (context) =>
          withPrograms(context, 'ips', wire, ['iperf3'], async (lab) => {
            const peer = await lab.start('Server listening', 'iperf3', '-s', '-B', PEER_ADDRESS, '--forceflush')
            const server = { address: PEER_ADDRESS, port: 5201 }
            const options = { seconds: SECONDS, reverse, parallel, congestion: 'reno' }
            const result = await lab.machine.call<IperfResult>(0, 'iperf', server, options)
            const theirs = result.peer.streams.reduce((sum, { bytes }) => sum + bytes, 0)
            expect(result.peer.streams.length).toBe(parallel)
            const received = reverse ? result.bytes : theirs
            expect(received).toBeGreaterThan(1_000_000)
            note(
              `${wire}: iperf3 -s, ${reverse ? 'to us' : 'from us'}, ${parallel} x, ${gigabits(received / result.seconds)}`,
            )
            await peer.stop()
          }))
      }
    }
  })

  test('wrk meets no error at 1, 64 and 256 connections', (context) =>
    withPrograms(context, 'wrk', wire, ['wrk'], async (lab) => {
      for (const connections of [1, 64, 256]) {
        const options = ['-t', '1', '-c', `${connections}`, '-d', `${SECONDS}s`, '--latency']
        const output = await succeed(lab, 'wrk', ...options, `http://${OUR_ADDRESS}/`)
        expect(output).not.toContain('Socket errors')
        expect(output).not.toContain('Non-2xx')
        const rate = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1])
        expect(rate).toBeGreaterThan(100)
        const latency = /50%\s+(\S+)[\s\S]*99%\s+(\S+)/.exec(output)
        note(`${wire}: wrk ${connections} x, ${rate} requests/s, p50 ${latency?.[1]}, p99 ${latency?.[2]}`)
      }
    }))

  test('nmap finds the open ports open and the others closed, and knows the server', (context) =>
    withPrograms(context, 'nmap', wire, ['nmap'], async (lab) => {
      const ports = '7,9,19,21,22,80,443,2001,5201,8080'
      const scan = await succeed(lab, 'nmap', '-n', '-Pn', '-sS', '-p', ports, OUR_ADDRESS)
      for (const port of [7, 9, 19, 80, 2001, 5201]) expect(scan).toMatch(new RegExp(`^${port}/tcp +open`, 'm'))
      for (const port of [21, 22, 443, 8080]) expect(scan).toMatch(new RegExp(`^${port}/tcp +closed`, 'm'))
      expect(scan).not.toContain('filtered')
      const light = ['-sV', '--version-light']
      const versions = await succeed(lab, 'nmap', '-n', '-Pn', ...light, '-p', '7,80', OUR_ADDRESS)
      expect(versions).toMatch(/^80\/tcp +open +http/m)
      expect(versions).toMatch(/^7\/tcp +open +echo/m)
      // Segments with flags that make no sense, to open and closed ports: RFC 9293 section 3.10.7 has an answer for each.
      for (const kind of wire === 'host' ? [] : ['-sF', '-sN', '-sX', '-sA', '-sM']) {
        const odd = await succeed(lab, 'nmap', '-n', '-Pn', kind, '-p', '80,81', OUR_ADDRESS)
        expect(odd, kind).toMatch(/^81\/tcp +(closed|unfiltered)/m)
      }
    }))

  describe.each(WAYS)(`${connectionsOver(wire)} connections, %s`, (way) => {
    const count = connectionsOver(wire)

    test('opened by Linux', (context) =>
      withPrograms(context, 'chc', wire, [], async (lab) => {
        const args = ['client', OUR_ADDRESS, way, `${count}`, '100']
        const result = JSON.parse(await succeed(lab, process.execPath, churnPeer, ...args))
        expect(result).toMatchObject({ done: count, wrong: [] })
        const settled = () => lab.machine.call<Outcomes>(0, 'churnOutcomes')
        await expect.poll(async () => ends(await settled(), way), { timeout: 30_000 }).toBe(count)
        expect((await settled())[way].wrong).toEqual([])
        note(`${wire}: ${way}, opened by Linux, ${Math.round(count / result.seconds)}/s`)
      }))

    test('opened by us', (context) =>
      withPrograms(context, 'chs', wire, [], async (lab) => {
        const peer = await lab.start('ready', process.execPath, churnPeer, 'server', PEER_ADDRESS)
        const result = await lab.machine.call<{ done: number; wrong: string[]; seconds: number }>(
          0,
          'churn',
          PEER_ADDRESS,
          way,
          count,
          100,
        )
        expect(result).toMatchObject({ done: count, wrong: [] })
        note(`${wire}: ${way}, opened by us, ${Math.round(count / result.seconds)}/s`)
        await peer.stop()
      }))
  })
})

function ends(outcomes: Outcomes, way: (typeof WAYS)[number]): number {
  return outcomes[way].served + outcomes[way].reset + outcomes[way].wrong.length
}
