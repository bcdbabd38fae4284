import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compose } from '@parakernel/config'
import { createVethPair } from '@parakernel/linux'
import { expect, test } from 'vitest'
import { missingForLab } from '../src/lab.ts'

const LONG = 'x'.repeat(250)

test('dnsmasq gives us an address, and its names: over UDP, and over TCP where they are long', async (context) => {
  const missing = missingForLab('dnsmasq')
  if (missing !== undefined) return context.skip(missing)
  const folder = mkdtempSync(join(tmpdir(), 'pk-dnsmasq-'))
  const pair = createVethPair({ label: 'dns', peerAddresses: ['10.113.0.1/24'] })
  const leases = join(folder, 'leases')
  const [file, words] = pair.command(
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--no-resolv', '--no-hosts'],
    ...['--log-facility=-', `--pid-file=${join(folder, 'pid')}`, `--dhcp-leasefile=${leases}`, '--dhcp-authoritative'],
    ...['--dhcp-range=10.113.0.50,10.113.0.60,255.255.255.0,1h', '--domain=lab.test', '--local=/test/'],
    ...[
      '--address=/www.lab.test/10.113.0.80',
      '--address=/six.lab.test/fd00::6',
      '--ptr-record=9.0.113.10.in-addr.arpa,nine.lab.test',
    ],
    ...['--cname=alias.lab.test,host.lab.test', '--host-record=host.lab.test,10.113.0.90'],
    `--txt-record=long.lab.test,${Array.from({ length: 10 }, () => LONG).join(',')}`,
  )
  const server = spawn(file, words, { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  server.stderr.on('data', (chunk) => {
    log += chunk
  })
  try {
    const network = {
      libos: 'net',
      backend: 'af-xdp',
      interface: pair.interface,
      address: 'dhcp',
      hostName: 'pk-guest',
    }
    const machine = await compose({ network } as never, {
      partition: new URL('../src/resolver-partition.ts', import.meta.url),
    })
    try {
      await expect.poll(() => machine.call(0, 'leases'), { timeout: 60_000, message: log }).toHaveLength(1)
      const [lease] = await machine.call<{ address: string; server: string; dnsServers: string[] }[]>(0, 'leases')
      expect(lease).toMatchObject({ server: '10.113.0.1', dnsServers: ['10.113.0.1'], search: ['lab.test'] })
      expect(lease.address).toMatch(/^10\.113\.0\.5\d\/24$|^10\.113\.0\.60\/24$/)
      expect(readFileSync(leases, 'utf8')).toContain('pk-guest')
      expect(await machine.call(0, 'routes')).toContainEqual(
        expect.objectContaining({ destination: '0.0.0.0/0', gateway: '10.113.0.1', origin: 'dhcp' }),
      )

      expect(await machine.call(0, 'lookup', 'www')).toEqual([{ address: '10.113.0.80', family: 4 }])
      expect(await machine.call(0, 'lookup', 'six.lab.test')).toEqual([{ address: 'fd00::6', family: 6 }])
      expect(await machine.call(0, 'lookup', 'alias.lab.test')).toEqual([{ address: '10.113.0.90', family: 4 }])
      expect(await machine.call(0, 'reverse', '10.113.0.9')).toEqual(['nine.lab.test'])
      expect(await machine.call(0, 'failure', 'nobody.lab.test')).toBe('ENOENT')
      const [record] = await machine.call<{ texts: string[] }[]>(0, 'resolve', 'long.lab.test', 'TXT')
      expect(record.texts).toEqual(Array.from({ length: 10 }, () => LONG))
      expect(await machine.call(0, 'statistics')).toMatchObject({ overStream: 1, timeouts: 0, ignored: 0 })
    } finally {
      await machine.stop()
    }
    // The address is given back in order.
    await expect.poll(() => log, { timeout: 30_000 }).toContain('DHCPRELEASE')
  } finally {
    server.kill('SIGTERM')
    await once(server, 'exit')
    pair.remove()
    rmSync(folder, { recursive: true, force: true })
  }
})
