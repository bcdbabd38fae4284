import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import { type Lab, type LabOptions, missingForLab, PEER_ADDRESS, type Wire, withLab } from '../src/lab.ts'

const OURS = 'fd70::1'
const THEIRS = 'fd70::2'
const LINUX_LOCAL = 'fe80::2'

interface Address {
  readonly address: string
  readonly state: string
  readonly origin: string
  readonly interface: string
}

interface Statistics {
  readonly [group: string]: Readonly<Record<string, number>>
}

interface Host6 extends Lab {
  ask<T>(method: string, ...parameters: unknown[]): Promise<T>
}

/** Our stack with IPv6 at one end, Linux with fd70::2 and fe80::2 at the other. */
async function withHost6(
  context: TestContext,
  programs: readonly string[],
  { network = {}, ...options }: LabOptions,
  body: (host: Host6) => Promise<void>,
): Promise<void> {
  const missing = missingForLab(...programs)
  if (missing !== undefined) return context.skip(missing)
  const wire = options.wire ?? 'af-xdp'
  const all = wire === 'af-xdp' ? { take: 'all' } : {}
  const partition = new URL('../src/ipv6-partition.ts', import.meta.url)
  const settings = { ipv6: 'static', addresses: [`${OURS}/64`], ...all, ...network }
  await withLab(`v6${wire === 'tap' ? 't' : 'x'}`, { ...options, partition, network: settings }, async (lab) => {
    const ask = <T>(method: string, ...parameters: unknown[]) => lab.machine.call<T>(0, method, ...parameters)
    for (const address of [`${THEIRS}/64`, `${LINUX_LOCAL}/64`]) {
      const { code, output } = await lab.run('ip', '-6', 'addr', 'replace', address, 'dev', 'eth0', 'nodad')
      expect(code, output).toBe(0)
    }
    const usable = async () => (await ask<Address[]>('addresses')).filter(({ state }) => state === 'preferred')
    await expect.poll(async () => (await usable()).map(({ address }) => address), { timeout: 30_000 }).toContain(OURS)
    await body({ ...lab, ask })
  })
}

/** Pings until so many answers have come, for some seconds at most; how many did. ping alone gives up after two round trips. */
async function answers(run: Lab['run'], count: number, ...options: string[]): Promise<number> {
  const { output } = await run('ping', '-6', '-q', '-c', `${count}`, '-w', '30', ...options)
  return Number(/(\d+) received/.exec(output)?.[1])
}

/** Sends datagrams of all lengths, fragmented ones too, and expects each one back. */
const udpClient = (to: string, local: string) => `
  const socket = require('node:dgram').createSocket('${to.includes(':') ? 'udp6' : 'udp4'}')
  const lengths = [0, 1, 2, 3, 63, 64, 511, 1000, 1451, 1452, 1453, 1700]
  let next = 0
  socket.on('message', (message, from) => {
    if (!message.equals(Buffer.alloc(lengths[next], next)) || from.address !== '${to}') throw new Error('wrong echo')
    if (++next === lengths.length) { console.log('all came back'); socket.close() } else send()
  })
  const send = () => socket.send(Buffer.alloc(lengths[next], next), 7, '${to}')
  setTimeout(() => { console.log('lost ' + next); process.exit(1) }, 30_000).unref()
  socket.bind({ address: '${local}' }, send)
`

for (const wire of ['af-xdp', 'tap'] satisfies Wire[]) {
  test(`ping -6, with fragments, and Linux sees us REACHABLE (${wire})`, async (context) => {
    await withHost6(context, ['ping'], { wire }, async ({ run, ask }) => {
      const many = await run('ping', '-6', '-f', '-q', '-c', '10000', OURS)
      expect(many.output).toContain('10000 packets transmitted, 10000 received, 0% packet loss')
      expect(await answers(run, 20, '-i', '0.01', '-s', '4000', OURS)).toBe(20)
      expect(await answers(run, 3, '-s', '60000', OURS)).toBe(3)
      expect((await run('ip', '-6', 'neigh', 'show', OURS, 'dev', 'eth0')).output).toMatch(/ REACHABLE/)
      const local = (await ask<Address[]>('addresses')).find(({ address }) => address.startsWith('fe80::'))
      expect(await answers(run, 3, `${local?.address}%eth0`)).toBe(3)
      const group = await run('ping', '-6', '-c', '2', '-i', '0.1', 'ff02::1%eth0')
      expect(group.output).toContain(`bytes from ${local?.address}`)
    })
  })

  test(`our pings come back from Linux, whole and in fragments (${wire})`, async (context) => {
    await withHost6(context, [], { wire }, async ({ ask }) => {
      for (const address of [THEIRS, LINUX_LOCAL]) {
        expect(await ask('ping', address), address).toMatchObject({ kind: 'reply', ttl: 64 })
      }
      expect(await ask('ping', THEIRS, 1700)).toMatchObject({ kind: 'reply', bytes: 1700 })
      const neighbors = await ask<{ address: string; state: string }[]>('neighbors')
      expect(neighbors.find(({ address }) => address === THEIRS)?.state).toBe('reachable')
      expect(await ask('ping', 'fd70::77')).toMatchObject({ kind: 'timeout' })
      expect(await ask('ping', 'fd99::1')).toEqual({ kind: 'failed', reason: 'ENETUNREACH' })
    })
  })

  test(`UDP comes back over both families from one socket (${wire})`, async (context) => {
    await withHost6(context, ['nc', 'socat'], { wire }, async ({ run }) => {
      const six = await run(process.execPath, '-e', udpClient(OURS, THEIRS))
      expect(six.output).toContain('all came back')
      const four = await run(process.execPath, '-e', udpClient('10.112.0.1', PEER_ADDRESS))
      expect(four.output).toContain('all came back')
      const netcat = await run('sh', '-c', `echo hello | nc -6 -u -w 1 ${OURS} 7`)
      expect(netcat.output).toBe('hello\n')
      const socat = await run('sh', '-c', `echo hello | socat -t 1 - UDP6:[${OURS}]:7`)
      expect(socat.output).toBe('hello\n')
    })
  })
}

test('a closed port is reported, and the error reaches the socket of Linux', async (context) => {
  await withHost6(context, [], {}, async ({ run }) => {
    const client = `
      const socket = require('node:dgram').createSocket('udp6')
      socket.on('error', (error) => { console.log(error.code); process.exit(0) })
      socket.connect(9, '${OURS}', () => setInterval(() => socket.send('x'), 20))
      setTimeout(() => process.exit(1), 30_000)
    `
    expect((await run(process.execPath, '-e', client)).output).toContain('ECONNREFUSED')
  })
})

test('an address that Linux has is not used, and Linux does not use one of ours', async (context) => {
  await withHost6(context, [], {}, async ({ run, ask }) => {
    await ask('addAddress', `${THEIRS}/64`)
    const state = async () => (await ask<Address[]>('addresses')).find(({ address }) => address === THEIRS)?.state
    await expect.poll(state, { timeout: 30_000 }).toBe('duplicate')
    await run('ip', '-6', 'addr', 'add', `${OURS}/64`, 'dev', 'eth0')
    const theirs = async () => (await run('ip', '-6', 'addr', 'show', 'dev', 'eth0')).output
    await expect.poll(theirs, { timeout: 30_000 }).toMatch(new RegExp(`${OURS}/64 .*dadfailed`))
    // As long as Linux has it, if only as a failed one, it does not look for it on the link.
    await run('ip', '-6', 'addr', 'del', `${OURS}/64`, 'dev', 'eth0')
    expect(await answers(run, 2, OURS)).toBe(2)
  })
})

test('radvd gives us prefix, router, MTU and resolvers, and takes them back', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'pk-radvd-'))
  const conf = join(folder, 'radvd.conf')
  writeFileSync(
    conf,
    `interface eth0 {
       AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime 30; AdvLinkMTU 1400;
       prefix fd71::/64 { AdvOnLink on; AdvAutonomous on; AdvValidLifetime 7300; AdvPreferredLifetime 600; };
       route fd72::/48 { AdvRoutePreference high; };
       RDNSS fd71::53 { AdvRDNSSLifetime 300; };
       DNSSL lab.test { AdvDNSSLLifetime 300; };
     };`,
  )
  try {
    const options: LabOptions = {
      network: { ipv6: 'auto', temporaryAddresses: true },
      sysctls: { 'net.ipv6.conf.all.forwarding': '1' },
    }
    await withHost6(context, ['radvd'], options, async ({ start, run, ask }) => {
      // A network behind the router.
      await run('ip', '-6', 'addr', 'add', 'fd99::9/128', 'dev', 'lo')
      await run('ip', '-6', 'addr', 'add', 'fd71::2/64', 'dev', 'eth0', 'nodad')
      const radvd = await start(
        'version',
        'radvd',
        '-n',
        '-m',
        'stderr',
        '-d',
        '1',
        '-C',
        conf,
        '-p',
        join(folder, 'pid'),
      )
      const made = async () =>
        (await ask<Address[]>('addresses')).filter(
          ({ address, state }) => address.startsWith('fd71:') && state === 'preferred',
        )
      await expect.poll(made, { timeout: 30_000, message: radvd.output() }).toHaveLength(2)
      expect((await made()).map(({ origin }) => origin).sort()).toEqual(['linklayer', 'random'])
      const routes = await ask<{ destination: string; gateway: string | undefined }[]>('routes')
      expect(routes).toContainEqual(
        expect.objectContaining({ destination: '::/0', gateway: LINUX_LOCAL, origin: 'router' }),
      )
      expect(routes).toContainEqual(expect.objectContaining({ destination: 'fd72::/48', gateway: LINUX_LOCAL }))
      expect(routes).toContainEqual(expect.objectContaining({ destination: 'fd71::/64', origin: 'router' }))
      expect(await ask('resolvers')).toMatchObject({ servers: ['fd71::53'], search: ['lab.test'] })
      for (const { address } of await made()) {
        expect(await answers(run, 3, address), address).toBe(3)
      }
      expect(await ask('ping', 'fd99::9')).toMatchObject({ kind: 'reply' })
      // Ended in order, a router says that it is none any more.
      await radvd.stop()
      const defaults = async () =>
        (await ask<{ destination: string }[]>('routes')).filter(({ destination }) => destination === '::/0')
      await expect.poll(defaults, { timeout: 30_000 }).toEqual([])
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('Linux as a router tells us of a narrower link, and of too few hops', async (context) => {
  const options: LabOptions = {
    network: { gateway6: THEIRS },
    sysctls: { 'net.ipv6.conf.all.forwarding': '1' },
  }
  await withHost6(context, [], options, async ({ run, ask }) => {
    // A host behind a link of 1300 bytes, which is there as far as the router knows.
    for (const command of [
      'link add narrow type veth peer name far',
      'link set narrow mtu 1300 up',
      'link set far up',
      '-6 addr add fd98::1/64 dev narrow nodad',
      '-6 neigh add fd98::9 lladdr 02:00:00:00:00:98 dev narrow',
    ]) {
      const { code, output } = await run('ip', ...command.split(' '))
      expect(code, `${command}: ${output}`).toBe(0)
    }
    const sums = async () => {
      const { icmp6, ip6 } = await ask<Statistics>('statistics')
      return [icmp6['ipv6IfIcmpInPktTooBigs'], ip6['ipSystemStatsOutFragCreates']]
    }
    expect(await ask('ping', 'fd98::9', 1400)).toMatchObject({ kind: 'unreachable', type: 2 })
    expect(await sums()).toEqual([1, 0])
    expect(await ask('ping', 'fd98::9', 1400)).toEqual({ kind: 'timeout' })
    expect(await sums()).toEqual([1, 2])
    expect(await ask('ping', 'fd98::9', 56, 1)).toMatchObject({ kind: 'unreachable', type: 3, code: 0 })
    expect(await ask('ping', 'fd97::1')).toMatchObject({ kind: 'unreachable', type: 1, code: 0 })
    expect(await ask('ping', 'fd98::1')).toMatchObject({ kind: 'reply' })
  })
})

test('groups are joined on the wire, and datagrams of Linux to them heard', async (context) => {
  await withHost6(context, ['socat'], {}, async ({ run, ask }) => {
    const group = 'ff15::70'
    const speak = () => run('sh', '-c', `echo hello | socat -t 1 - UDP6-DATAGRAM:[${group}]:7,bind=[${THEIRS}]`)
    await run('ip', '-6', 'route', 'add', 'ff15::/16', 'dev', 'eth0', 'table', 'local')
    expect((await speak()).output).toBe('')
    await ask('join', group)
    expect((await speak()).output).toBe('hello\n')
    await ask('leave', group)
    expect((await speak()).output).toBe('')
    const { udp } = await ask<Statistics>('statistics')
    expect(udp['udpInDatagrams']).toBe(1)
  })
})

test('a snooping bridge of Linux understands our listener reports', async (context) => {
  await withHost6(context, ['bridge'], {}, async ({ run, ask }) => {
    const made = await run(
      'ip',
      ...'link add br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_mld_version 2'.split(' '),
    )
    if (made.code !== 0) return context.skip(`needs bridges in the kernel: ${made.output}`)
    for (const command of ['link set eth0 master br0', 'link set br0 up', '-6 addr add fe80::b/64 dev br0 nodad']) {
      const { code, output } = await run('ip', ...command.split(' '))
      expect(code, `${command}: ${output}`).toBe(0)
    }
    const members = async () => (await run('bridge', 'mdb', 'show', 'dev', 'br0')).output
    await ask('join', 'ff15::70')
    await expect.poll(members, { timeout: 30_000 }).toMatch(/port eth0 grp ff15::70/)
    await ask('leave', 'ff15::70')
    await expect.poll(members, { timeout: 30_000 }).not.toMatch(/grp ff15::70/)
  })
})

test('tshark reads our capture of all this, and finds nothing malformed and no wrong checksum', async (context) => {
  const missing = missingForLab('tshark', 'ping')
  if (missing !== undefined) return context.skip(missing)
  const directory = mkdtempSync(join(tmpdir(), 'pk-pcap6-'))
  try {
    const network = { ipv6: 'auto', probes: [{ probe: 'pcap', directory }] }
    await withHost6(context, ['ping'], { network }, async ({ run, ask }) => {
      await run('ping', '-6', '-q', '-c', '5', '-i', '0.01', '-s', '3000', OURS)
      await run(process.execPath, '-e', udpClient(OURS, THEIRS))
      await run('sh', '-c', `echo x | nc -6 -u -w 1 ${OURS} 9`)
      await ask('ping', THEIRS, 1700)
      await ask('join', 'ff15::70')
      await ask('leave', 'ff15::70')
      await new Promise((resolve) => setTimeout(resolve, 1500))
    })
    const [capture] = readdirSync(directory)
    const file = join(directory, capture as string)
    const read = (filter: string) => {
      const checks = ['-o', 'udp.check_checksum:TRUE']
      const { stdout, status, stderr } = spawnSync('tshark', ['-r', file, ...checks, '-Y', filter], {
        encoding: 'utf8',
      })
      expect(status, stderr).toBe(0)
      return stdout.split('\n').filter((line) => line !== '')
    }
    expect(read('_ws.malformed')).toEqual([])
    expect(read('udp.checksum.status == 0 || icmpv6.checksum.status == 0')).toEqual([])
    expect(read('icmpv6.type == 143').length).toBeGreaterThanOrEqual(4)
    expect(read('icmpv6.type == 143 && ipv6.hlim == 1 && ipv6.opt.router_alert').length).toBe(
      read('icmpv6.type == 143').length,
    )
    expect(read('icmpv6.type == 133').length).toBeGreaterThanOrEqual(1)
    expect(read(`icmpv6.type == 135 && ipv6.src == :: && icmpv6.nd.ns.target_address == ${OURS}`)).toHaveLength(1)
    expect(read(`icmpv6.type == 136 && icmpv6.nd.na.target_address == ${OURS}`).length).toBeGreaterThanOrEqual(1)
    expect(read('icmpv6.type == 129').length).toBeGreaterThanOrEqual(5)
    expect(read('icmpv6.type == 1 && icmpv6.code == 4').length).toBeGreaterThanOrEqual(1)
    expect(read('ipv6.fraghdr').length).toBeGreaterThanOrEqual(20)
    expect(read('udp.port == 7').length).toBeGreaterThanOrEqual(20)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
