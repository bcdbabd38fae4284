import { expect, test } from 'vitest'
import { loadConfig, printConfig } from '../src/index.ts'
import { createApplication } from './support/application.ts'

test('prints every value with its origin', async () => {
  const application = createApplication()
  const file = application.write(
    'c.yaml',
    'preset: small\nnetwork: { backend: af-xdp, interface: veth0, address: 10.0.0.7/24 }\nwait: { kind: spin }\n',
  )
  const config = await loadConfig({
    file,
    application: application.url,
    flags: { backend: 'emulated' },
    environment: { PARAKERNEL_NETWORK__LOSS: '0.1' },
    presets: { small: { frames: { count: 64 } } },
    app: { port: { type: 'integer', description: 'UDP port', default: 7 } },
  })
  const shown = config.origins.get('wait.kind')?.name
  expect(printConfig(config).split('\n')).toEqual([
    `# config file: ${file}`,
    `preset               "small"        file ${shown}`,
    'network.libos        "net"          default',
    'network.backend      "emulated"     --backend',
    'network.probes       []             default',
    'network.interfaces   []             default',
    `network.address      "10.0.0.7/24"  file ${shown}`,
    'network.ttl          64             default of net',
    'network.queues       1              default of partitions',
    'network.ringSize     256            default of emulated',
    'network.loss         0.1            environment PARAKERNEL_NETWORK__LOSS',
    'network.trusted      true           default of emulated',
    'storage.libos        "none"         default',
    'steering             []             default',
    'partitions           1              default',
    'isolation            "worker"       default',
    'cpus                 "none"         default',
    `wait.kind            "spin"         file ${shown}`,
    'wait.spin            50000          default',
    'wait.gather          50000          default',
    'frames.count         64             preset small',
    'frames.size          2048           default',
    'frames.reserve       16             default of frames.count',
    'frames.debug         false          default',
    'heap                 0              default',
    'memory               "plain"        default',
    'host                 "auto"         default',
    'observe.socket       "none"         default',
    'observe.traceEvents  131072         default',
    'app.port             7              default of the application',
    '# set aside: another libOS or backend was chosen',
    `network.interface  "veth0"  file ${shown}`,
  ])
})
