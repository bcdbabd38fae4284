import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'

/** A program's directory, with the packages that it has installed. Gone after the test. */
export interface Application {
  readonly directory: string
  /** What the program would give as `import.meta.url`. */
  readonly url: string
  write(path: string, text: string): string
}

export function createApplication(packages: Readonly<Record<string, string>> = PACKAGES): Application {
  const directory = mkdtempSync(join(tmpdir(), 'parakernel-config-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const write = (path: string, text: string) => {
    const file = join(directory, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    return file
  }
  for (const [name, source] of Object.entries(packages)) install(write, name, source)
  return { directory, url: pathToFileURL(join(directory, 'main.js')).href, write }
}

function install(
  write: Application['write'],
  name: string,
  source: string,
  exports: object = { default: './index.js' },
): void {
  write(`node_modules/${name}/package.json`, JSON.stringify({ name, type: 'module', exports: { '.': exports } }))
  write(`node_modules/${name}/index.js`, source)
}

export function installForImportOnly(application: Application, name: string, source: string): void {
  install(application.write, name, source, { types: './index.d.ts', import: './index.js' })
}

const CIDR = '{ example: "10.0.0.1/24", pattern: /^[0-9.]+\\/[0-9]+$/ }'

/** Stand-ins with the options that the tests speak of; the real packages are composed in `compose.test.ts`. */
export const PACKAGES: Readonly<Record<string, string>> = {
  '@parakernel/net': `
    export const libos = { kind: 'net-libos', name: 'net', needsBackend: true, options: {
      address: { type: 'string', description: 'address of this stack', required: true, form: ${CIDR} },
      ttl: { type: 'integer', description: 'time to live', min: 1, max: 255, default: 64 },
      dns: { type: 'string[]', description: 'resolvers' },
      arp: { type: 'object', description: 'static entries' },
    }, interfaceOptions: {
      address: { type: 'string', description: 'address of the interface', required: true, form: ${CIDR} },
      metric: { type: 'integer', description: 'of its routes', default: 0 },
    } }`,
  '@parakernel/host': `
    export const libos = { kind: 'net-libos', name: 'host', needsBackend: false, options: {
      address: { type: 'string', description: 'address to bind', default: '127.0.0.1' },
    } }`,
  '@parakernel/emulated': `
    export const backend = { kind: 'net-backend', name: 'emulated', options: {
      queues: { type: 'integer', description: 'queue pairs', min: 1, max: 64, default: 1 },
      ringSize: { type: 'integer', description: 'entries a ring', min: 2, max: 4096, default: 256 },
      loss: { type: 'number', description: 'share of packets that the link loses', min: 0, max: 1 },
      trusted: { type: 'boolean', description: 'whether checksums are verified', default: true },
      mode: { type: 'string', description: 'switch or hub', values: ['switch', 'hub'] },
    } }`,
  '@parakernel/af-xdp': `
    export const backend = { kind: 'net-backend', name: 'af-xdp', options: {
      interface: { type: 'string', description: 'network interface', required: true },
      queues: { type: 'integer', description: 'queue pairs', min: 1 },
    } }`,
  '@parakernel/probes': `
    export const pcap = { kind: 'net-decorator', name: 'pcap', options: {
      path: { type: 'string', description: 'file', required: true },
      snap: { type: 'integer', description: 'bytes kept of each packet', default: 65535 },
    } }
    export const trace = { kind: 'net-decorator', name: 'trace', options: {} }`,
  '@acme/my-nic': `
    export const backend = { kind: 'net-backend', name: 'my-nic', options: {
      slot: { type: 'string', description: 'PCI slot', required: true },
    } }`,
}
