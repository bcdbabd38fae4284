import { describe, expect, test } from 'vitest'
import { ConfigError, type LoadOptions, loadConfig } from '../src/index.ts'
import { type Application, createApplication, PACKAGES } from './support/application.ts'

const load = (application: Application, options: LoadOptions = {}) =>
  loadConfig({ application: application.url, directory: application.directory, environment: {}, ...options })

async function problems(application: Application, options: LoadOptions = {}): Promise<string[]> {
  const error = await load(application, options).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(ConfigError)
  expect((error as ConfigError).code).toBe('EINVAL')
  return (error as ConfigError).problems.map(({ path, message }) => `${path}: ${message}`)
}

describe('defaults', () => {
  test('an empty config runs on the emulated backend', async () => {
    const { settings } = await load(createApplication())
    expect(settings).toEqual({
      network: {
        libos: 'net',
        backend: 'emulated',
        libosOptions: { address: '10.0.0.1/24', ttl: 64 },
        backendOptions: { queues: 1, ringSize: 256, trusted: true },
        probes: [],
        interfaces: [],
      },
      steering: [],
      partitions: 1,
      cpus: 'none',
      observe: { socket: 'none', traceEvents: 131_072 },
      wait: { kind: 'hybrid', spin: 50_000, gather: 50_000 },
      frames: { count: 4096, size: 2048, reserve: 1024, debug: false },
      heap: 0,
      isolation: 'worker',
      memory: 'plain',
      host: 'auto',
      app: {},
    })
  })

  test('a backend has a queue for each partition unless told otherwise', async () => {
    const application = createApplication()
    const four = await load(application, { flags: { partitions: 4 } })
    expect(four.settings.network.backendOptions['queues']).toBe(4)
    expect(four.origins.get('network.queues')).toEqual({ layer: 'default', name: 'partitions' })
    const two = await load(application, { flags: { partitions: 4, queues: 2 } })
    expect(two.settings.network.backendOptions['queues']).toBe(2)
  })

  test('an option of both libOS and backend is shared, a default of one of them is not', async () => {
    const application = createApplication({
      ...PACKAGES,
      '@acme/nic': `export const backend = { kind: 'net-backend', name: 'nic', options: {
        ttl: { type: 'integer', description: 'hops', default: 9 },
        seed: { type: 'integer', description: 'seed', default: 1 },
        vlan: { type: 'boolean', description: 'whether tags are taken out', default: true },
      } }`,
      '@acme/stack': `export const libos = { kind: 'net-libos', name: 'stack', needsBackend: true, options: {
        ttl: { type: 'integer', description: 'time to live', default: 64, max: 255 },
        seed: { type: 'integer', description: 'seed' },
        vlan: { type: 'integer', description: 'identifier', max: 4094 },
      } }`,
    })
    const flags = { libos: '@acme/stack', backend: '@acme/nic' }
    const { network } = (await load(application, { flags })).settings
    expect(network).toMatchObject({ libosOptions: { ttl: 64 }, backendOptions: { ttl: 9, seed: 1, vlan: true } })
    expect('seed' in network.libosOptions).toBe(false)
    const set = (await load(application, { flags: { ...flags, seed: 7, ttl: 3 } })).settings.network
    expect(set).toMatchObject({ libosOptions: { ttl: 3, seed: 7 }, backendOptions: { ttl: 3, seed: 7 } })
    expect(await problems(application, { flags: { ...flags, ttl: 256, vlan: '5000' } })).toEqual([
      'network.ttl: found 256 (number), allowed: an integer of at most 255',
      'network.vlan: found 5000 (number), allowed: an integer of at most 4094',
    ])
    const tagged = (await load(application, { flags: { ...flags, vlan: '7' } })).settings.network
    expect(tagged).toMatchObject({ libosOptions: { vlan: 7 }, backendOptions: { vlan: true } })
    const untagged = (await load(application, { flags: { ...flags, vlan: 'off' } })).settings.network
    expect(untagged.backendOptions['vlan']).toBe(false)
    expect('vlan' in untagged.libosOptions).toBe(false)
  })

  test('a backend beside the kernel takes the traffic of the address, unless it is told what', async () => {
    const application = createApplication({
      ...PACKAGES,
      '@acme/nic': `export const backend = { kind: 'net-backend', name: 'nic', options: {
        addresses: { type: 'string[]', description: 'addresses' },
        ports: { type: 'string[]', description: 'ports' },
        queues: { type: 'integer', description: 'queue pairs' },
      } }`,
    })
    const flags = { backend: '@acme/nic', address: '10.0.0.1/24', partitions: 2 }
    const config = await load(application, { flags })
    expect(config.settings.network.backendOptions).toEqual({ addresses: ['10.0.0.1/24'] })
    expect(config.origins.get('network.addresses')).toEqual({ layer: 'default', name: 'network.address' })
    const told = await load(application, { flags: { ...flags, ports: 'udp/7' } })
    expect(told.settings.network.backendOptions).toEqual({ ports: ['udp/7'] })
  })

  test('a libOS on the host has neither backend nor probes', async () => {
    const { settings, backend, setAside } = await load(createApplication(), { flags: { libos: 'host' } })
    expect(settings.network).toEqual({
      libos: 'host',
      backend: undefined,
      libosOptions: { address: '127.0.0.1' },
      backendOptions: {},
      probes: [],
      interfaces: [],
    })
    expect(backend).toBeUndefined()
    expect(setAside).toEqual([])
  })
})

describe('files', () => {
  const expected = { libos: 'net', backend: 'emulated', ringSize: 64 }
  const sources = {
    'parakernel.config.ts': `interface Shape { ring: number }
      const shape: Shape = { ring: 64 }
      export default { network: { ringSize: shape.ring } }`,
    'parakernel.config.mts': 'export default { network: { ringSize: 64 as number } }',
    'parakernel.config.js': 'export default { network: { ringSize: 64 } }',
    'parakernel.config.mjs': 'export default { network: { ringSize: 64 } }',
    'parakernel.config.json': '{ "network": { "ringSize": 64 } }',
    'parakernel.config.yaml': 'network:\n  ringSize: 64\n',
    'parakernel.config.yml': 'network: { ringSize: 64 }\n',
  }

  test.each(Object.entries(sources))('%s', async (name, text) => {
    const application = createApplication()
    application.write('package.json', '{ "type": "module" }')
    const file = application.write(name, text)
    const config = await load(application)
    expect({
      libos: config.settings.network.libos,
      backend: config.settings.network.backend,
      ringSize: config.settings.network.backendOptions['ringSize'],
    }).toEqual(expected)
    expect(config.file).toBe(file)
    expect(config.origins.get('network.ringSize')?.layer).toBe('file')
  })

  test('a named file, by argument or by environment, goes before the one that lies there', async () => {
    const application = createApplication()
    application.write('parakernel.config.json', '{ "partitions": 2 }')
    const file = application.write('other.yaml', 'partitions: 3')
    expect((await load(application, { file })).settings.partitions).toBe(3)
    expect((await load(application, { environment: { PARAKERNEL_CONFIG: file } })).settings.partitions).toBe(3)
    expect((await load(application, { directory: false })).settings.partitions).toBe(1)
  })

  test.each([
    ['parakernel.config.json', '{ "partitions": ', /Unexpected end of JSON/],
    ['parakernel.config.yaml', 'a: [1', /Flow sequence/],
    ['parakernel.config.mjs', 'export const config = {}', /has no default export/],
    ['parakernel.config.mjs', 'throw new Error("no luck")', /no luck/],
    ['parakernel.config.json', '[1, 2]', /holds no object/],
  ])('%s that cannot be used: %s', async (name, text, message) => {
    const application = createApplication()
    application.write(name, text)
    expect((await problems(application))[0]).toMatch(message)
  })

  test('no such file, a file of another kind, two files', async () => {
    const application = createApplication()
    expect(await problems(application, { file: 'missing.yaml' })).toEqual(['missing.yaml: there is no such file'])
    const ini = application.write('config.ini', 'a=1')
    expect((await problems(application, { file: ini }))[0]).toMatch(/is of no known kind; known are .ts .mts/)
    application.write('parakernel.config.json', '{}')
    application.write('parakernel.config.yaml', '{}')
    expect((await problems(application))[0]).toMatch(
      /has parakernel.config.json and parakernel.config.yaml: keep one, or name one with --config/,
    )
  })
})

describe('precedence', () => {
  test('flags, environment, file, preset, the application, defaults', async () => {
    const application = createApplication()
    const file = application.write('c.json', '{ "preset": "small", "partitions": 3, "wait": { "spin": 3 }, "heap": 3 }')
    const config = await load(application, {
      file,
      flags: { partitions: '5' },
      environment: { PARAKERNEL_PARTITIONS: '4', PARAKERNEL_WAIT__SPIN: '4' },
      presets: { small: { partitions: 2, heap: 2, frames: { count: 64 } } },
      defaults: { frames: { count: 128, size: 1024 }, memory: 'memfd' },
    })
    const { partitions, wait, heap, frames, memory } = config.settings
    expect({ partitions, spin: wait.spin, heap, frames, memory, kind: wait.kind }).toEqual({
      partitions: 5,
      spin: 4,
      heap: 3,
      frames: { count: 64, size: 1024, reserve: 16, debug: false },
      memory: 'memfd',
      kind: 'hybrid',
    })
    const origin = (path: string) => Object.values(config.origins.get(path) ?? {}).join(' ')
    expect(origin('partitions')).toBe('flag --partitions')
    expect(origin('wait.spin')).toBe('environment PARAKERNEL_WAIT__SPIN')
    expect(origin('heap')).toMatch(/^file .*c\.json$/)
    expect(origin('frames.count')).toBe('preset small')
    expect(origin('frames.size')).toBe('default the application')
    expect(origin('frames.reserve')).toBe('default frames.count')
    expect(origin('wait.kind')).toBe('default ')
    expect(origin('network.ttl')).toBe('default net')
  })

  test('a preset chooses a backend, a flag another one', async () => {
    const application = createApplication()
    const options = { flags: { preset: 'af-xdp', interface: 'veth0', address: '10.1.0.1/24' } }
    expect((await load(application, options)).settings.network.backend).toBe('af-xdp')
    const host = await load(application, { flags: { preset: 'host' } })
    expect(host.settings.network.libos).toBe('host')
    const emulated = await load(application, { flags: { preset: 'af-xdp', backend: 'emulated' } })
    expect(emulated.settings.network.backend).toBe('emulated')
  })

  test('options of a backend that a stronger layer replaced are set aside, not refused', async () => {
    const application = createApplication()
    const file = application.write(
      'c.json',
      '{ "network": { "backend": "af-xdp", "interface": "veth0", "address": "10.1.0.1/24" } }',
    )
    const emulated = await load(application, { file, flags: { backend: 'emulated' } })
    expect(emulated.setAside.map(({ path }) => path)).toEqual(['network.interface'])
    expect(emulated.settings.network.libosOptions['address']).toBe('10.1.0.1/24')
    const host = await load(application, { file, environment: { PARAKERNEL_LIBOS: 'host' } })
    expect(host.setAside.map(({ path }) => path)).toEqual(['network.backend', 'network.interface'])
    expect(host.settings.network.backend).toBeUndefined()
    expect(await problems(application, { file, flags: { backend: 'af-xdp', loss: 0.1 } })).toHaveLength(1)
  })
})

describe('texts of the environment and the command line', () => {
  test('are read by the type that the setting has', async () => {
    const { settings } = await load(createApplication(), {
      environment: {
        PARAKERNEL_NETWORK__RING_SIZE: '1_024',
        PARAKERNEL_NETWORK__LOSS: '0.25',
        PARAKERNEL_NETWORK__TRUSTED: 'no',
        PARAKERNEL_NETWORK__MODE: 'hub',
        PARAKERNEL_NETWORK__DNS: '1.1.1.1, 9.9.9.9',
        PARAKERNEL_NETWORK__ARP: '{ "10.0.0.2": "02:00:00:00:00:02" }',
        PARAKERNEL_NETWORK__PROBES: 'trace',
        PARAKERNEL_FRAMES__DEBUG: 'true',
        PARAKERNEL_HEAP: '1.5MiB',
        PARAKERNEL_CPUS: '0,2',
        PARAKERNEL_WAIT__KIND: '',
      },
    })
    expect(settings.network.backendOptions).toMatchObject({ ringSize: 1024, loss: 0.25, trusted: false, mode: 'hub' })
    expect(settings.network.libosOptions['dns']).toEqual(['1.1.1.1', '9.9.9.9'])
    expect(settings.network.libosOptions['arp']).toEqual({ '10.0.0.2': '02:00:00:00:00:02' })
    expect(settings.network.probes).toEqual([{ probe: 'trace', options: {} }])
    expect(settings.frames.debug).toBe(true)
    expect(settings.heap).toBe(1.5 * 2 ** 20)
    expect(settings.cpus).toEqual([0, 2])
    expect(settings.wait.kind).toBe('hybrid')
  })

  test('probes come by name or as JSON', async () => {
    const { settings } = await load(createApplication(), {
      flags: { probes: '[{"probe":"pcap","path":"out.pcap"},{"probe":"trace"}]' },
    })
    expect(settings.network.probes).toEqual([
      { probe: 'pcap', options: { path: 'out.pcap', snap: 65_535 } },
      { probe: 'trace', options: {} },
    ])
  })

  test('a wrong text is shown as it was written', async () => {
    const wrong = await problems(createApplication(), {
      environment: {
        PARAKERNEL_PARTITIONS: 'two',
        PARAKERNEL_NETWORK__TRUSTED: 'perhaps',
        PARAKERNEL_NETWORK__LOSS: '',
      },
      flags: { 'ring-size': '1k' },
    })
    expect(wrong).toEqual([
      'partitions: found "two" (string), allowed: an integer from 1 to 256',
      'network.ringSize: found "1k" (string), allowed: an integer from 2 to 4096',
      'network.trusted: found "perhaps" (string), allowed: true or false',
    ])
  })

  test('a last part that several settings end in is refused', async () => {
    const app = { mode: { type: 'string', description: 'how to greet' } } as const
    expect(await problems(createApplication(), { app, flags: { mode: 'hub' } })).toEqual([
      'mode: may mean network.mode or app.mode: write the whole path',
    ])
    const { settings } = await load(createApplication(), { app, flags: { 'app.mode': 'loud' } })
    expect(settings.app).toEqual({ mode: 'loud' })
  })
})

describe('what is refused', () => {
  test('everything at once, with the path, what was found and what is allowed', async () => {
    const application = createApplication()
    application.write(
      'parakernel.config.json',
      JSON.stringify({
        partitions: 0,
        cpus: 'some',
        wait: 'spin',
        frames: { count: 5, size: 1000, debg: true },
        heap: '1 parsec',
        memory: 'swap',
        netwrok: {},
        network: { adress: '10.0.0.1/24', ttl: 1000, mode: 'router', dns: 'one', arp: 3, loss: 'all', interface: 'x' },
      }),
    )
    expect(await problems(application)).toEqual([
      'wait: found "spin" (string), allowed: an object with kind, spin or gather',
      'frames.debg: unknown key; did you mean frames.debug? allowed here: count, size, reserve, debug',
      'netwrok: unknown key; did you mean network? allowed here: preset, network, storage, steering, partitions, isolation, cpus, wait, frames, heap, memory, host, observe',
      'network.adress: unknown key; did you mean network.address? allowed here: libos, backend, probes, interfaces, address, ttl, dns, arp, queues, ringSize, loss, trusted, mode',
      'network.interface: unknown key; did you mean network.interfaces? allowed here: libos, backend, probes, interfaces, address, ttl, dns, arp, queues, ringSize, loss, trusted, mode',
      'partitions: found 0 (number), allowed: an integer from 1 to 256',
      'cpus: found "some" (string), allowed: a list of core numbers, "auto" or "none"',
      'frames.count: found 5 (number), allowed: an integer from 16 to 1048576',
      'frames.size: found 1000 (number), allowed: a multiple of 64 from 512 to 65536',
      'heap: found "1 parsec" (string), allowed: bytes from 0 to 2147483648, as a number or like "64MiB"',
      'memory: found "swap" (string), allowed: "plain" or "memfd"',
      'network.ttl: found 1000 (number), allowed: an integer from 1 to 255',
      'network.dns: found "one" (string), allowed: a list of strings',
      'network.arp: found 3 (number), allowed: an object or a list',
      'network.loss: found "all" (string), allowed: a number from 0 to 1',
      'network.mode: found "router" (string), allowed: "switch" or "hub"',
    ])
  })

  test('the text of the error names the origin and says what to do', async () => {
    const error = await load(createApplication(), { flags: { bakend: 'emulated', partitions: 'x' } }).catch((e) => e)
    expect(error.message).toBe(
      [
        'config: 2 problems, nothing was started (EINVAL). Correct and start again:',
        '  bakend: unknown key; did you mean network.backend? allowed here: preset, network, storage, steering, partitions, isolation, cpus, wait, frames, heap, memory, host, observe [--bakend]',
        '  partitions: found "x" (string), allowed: an integer from 1 to 256 [--partitions]',
      ].join('\n'),
    )
  })

  test('a key of the environment that nothing has', async () => {
    const error = await load(createApplication(), { environment: { PARAKERNEL_NETWORK__QUEUE: '2' } }).catch((e) => e)
    expect(error.message).toContain('did you mean network.queues?')
    expect(error.message).toContain('[environment PARAKERNEL_NETWORK__QUEUE]')
  })

  test('a key at the wrong depth', async () => {
    const application = createApplication()
    const file = application.write('c.json', '{ "backend": "emulated" }')
    expect((await problems(application, { file }))[0]).toMatch(/^backend: unknown key; did you mean network\.backend\?/)
  })

  test('a missing option', async () => {
    expect(await problems(createApplication(), { flags: { backend: 'af-xdp' } })).toEqual([
      'network.address: missing, net needs it: a string like "10.0.0.1/24" (address of this stack)',
      'network.interface: missing, af-xdp needs it: a string (network interface)',
    ])
  })

  test('a form', async () => {
    expect(await problems(createApplication(), { flags: { address: '10.0.0.1' } })).toEqual([
      'network.address: found "10.0.0.1" (string), allowed: a string like "10.0.0.1/24"',
    ])
  })

  test('values that do not go together', async () => {
    const application = createApplication()
    expect(
      await problems(application, {
        flags: { 'frames.count': 64, 'frames.reserve': 64, partitions: 2, cpus: '0', memory: 'memfd', host: 'none' },
      }),
    ).toEqual([
      'frames.reserve: found 64 (number), allowed: an integer from 0 to 63 (frames.count - 1)',
      'cpus: found [0], allowed: one core for each of 2 partitions',
      'memory: found "memfd" (string), allowed: what needs no host, or another "host" than "none"',
      'cpus: found [0], allowed: what needs no host, or another "host" than "none"',
    ])
    expect(await problems(application, { flags: { heap: '2GiB' } })).toEqual([
      'frames: 4096 frames of 2048 bytes and a heap of 2147483648 are 2155872256 bytes a partition, allowed: 2147483648',
    ])
  })

  test('a preset', async () => {
    expect(await problems(createApplication(), { flags: { preset: 'hots' } })).toEqual([
      'preset: found "hots" (string); did you mean "host"? allowed: "emulated", "host", "af-xdp" or "tap"',
    ])
  })

  test('a backend or probes under a libOS on the host', async () => {
    const probes = [{ probe: 'trace' }]
    expect(await problems(createApplication(), { flags: { libos: 'host', backend: 'emulated', probes } })).toEqual([
      'network.backend: found "emulated" (string), but libOS "host" stands on the host\'s sockets: leave it out',
      'network.probes: found [{"probe":"trace"}], but libOS "host" stands on the host\'s sockets: leave it out',
    ])
  })

  test('further interfaces', async () => {
    const application = createApplication()
    const of = (interfaces: unknown, more = {}) => problems(application, { flags: { interfaces, ...more } })
    const json = (list: unknown) => JSON.stringify(list)
    expect(await of(json([{ name: 'b', backend: 'emulated', address: 'x', ringSize: 1, colour: 'red' }]))).toEqual([
      'network.interfaces.0.colour: unknown key, allowed here: queues, ringSize, loss, trusted, mode, address, metric',
      'network.interfaces.0.ringSize: found 1 (number), allowed: an integer from 2 to 4096',
      'network.interfaces.0.address: found "x" (string), allowed: a string like "10.0.0.1/24"',
    ])
    expect(
      await of(
        json([
          { name: 'b', backend: 'emulated' },
          { name: 'b', backend: 'nick', address: '10.1.0.1/24' },
        ]),
      ),
    ).toEqual([
      'network.interfaces.0.address: missing, allowed: a string like "10.0.0.1/24" (address of the interface)',
      'network.interfaces.1.name: found "b", which another interface is called already',
      expect.stringMatching(/^network\.interfaces\.1\.backend: no backend "nick" is installed/),
    ])
    expect(await of(json([{ name: 'b' }]))).toEqual([
      expect.stringMatching(/^network\.interfaces: found .*, allowed: a list of objects like/),
    ])
    const list = [{ name: 'b', backend: 'emulated', address: '10.1.0.1/24' }]
    expect(await of(json(list), { libos: 'host' })).toEqual([expect.stringMatching(/stands on the host's sockets/)])
    const text = "export const libos = { kind: 'net-libos', name: 'one', needsBackend: true, options: {} }"
    application.write('one.js', text)
    expect(await of(json(list), { libos: './one.js' })).toEqual([
      'network.interfaces: libOS "./one.js" has one interface: leave it out',
    ])
  })

  test('probes', async () => {
    const application = createApplication()
    const of = (probes: unknown) => problems(application, { flags: { probes } })
    expect(await of('pcap')).toEqual(['network.probes.0.path: missing, allowed: a string (file)'])
    expect(
      await of([
        { probe: 'pcap', pth: 'x', path: 1 },
        { probe: 'trace', path: 'y' },
      ]),
    ).toEqual([
      'network.probes.0.pth: unknown key; did you mean network.probes.0.path? allowed here: path, snap',
      'network.probes.0.path: found 1 (number), allowed: a string',
      'network.probes.1.path: unknown key, allowed here: nothing',
    ])
    expect(await of([{ prob: 'pcap' }])).toEqual([
      'network.probes: found [{"prob":"pcap"}], allowed: a list of objects like {"probe":"pcap"}',
    ])
    expect((await of([{ probe: 'pcapp' }]))[0]).toMatch(
      /^network.probes.0.probe: no probe "pcapp" is installed; did you mean "pcap"\?/,
    )
  })

  test('settings of the application', async () => {
    const app = { port: { type: 'integer', description: 'UDP port', min: 1, max: 65_535, default: 7 } } as const
    const application = createApplication()
    const { settings, origins } = await load(application, { app })
    expect(settings.app).toEqual({ port: 7 })
    expect(origins.get('app.port')).toEqual({ layer: 'default', name: 'the application' })
    expect((await load(application, { app, flags: { port: '9' } })).settings.app).toEqual({ port: 9 })
    expect(await problems(application, { app, flags: { port: '0' } })).toEqual([
      'app.port: found 0 (number), allowed: an integer from 1 to 65535',
    ])
    const file = application.write('c.json', '{ "app": { "prt": 9 } }')
    expect((await problems(application, { app, file }))[0]).toMatch(/^app.prt: unknown key; did you mean app.port\?/)
    expect((await load(application, { file })).settings.app).toEqual({ prt: 9 })
  })
})
