import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importWithJiti } from '../src/layers/file.ts'
import { nearest } from '../src/problems/nearest.ts'
import { load, packagesFor } from '../src/registry/registry.ts'
import { resolvePackage } from '../src/registry/resolve-package.ts'
import { createApplication, installForImportOnly } from './support/application.ts'

const problem = async (...args: Parameters<typeof load>) => {
  const result = await load(...args)
  return 'problem' in result ? result.problem.message : 'loaded'
}

describe('names', () => {
  test('stand for packages', () => {
    expect(packagesFor('net-backend', 'af-xdp')).toEqual(['@parakernel/af-xdp'])
    expect(packagesFor('net-decorator', 'trace')).toEqual(['@parakernel/probes'])
    expect(packagesFor('net-backend', 'my-nic')).toEqual(['@parakernel/my-nic', 'parakernel-my-nic'])
    expect(packagesFor('net-backend', '@acme/my-nic')).toEqual(['@acme/my-nic'])
    expect(packagesFor('net-backend', 'parakernel-my-nic')).toEqual(['parakernel-my-nic'])
    expect(packagesFor('net-backend', './nic.js')).toEqual(['./nic.js'])
  })

  test('one that is ours and not installed names the command', async () => {
    const application = createApplication({})
    expect(await problem('net-backend', 'af-xdp', application.url)).toBe(
      'backend "af-xdp" is not installed: npm install @parakernel/af-xdp',
    )
    application.write('pnpm-lock.yaml', '')
    expect(await problem('net-libos', '@acme/stack', application.url)).toBe(
      'libOS "@acme/stack" is not installed: pnpm add @acme/stack',
    )
  })

  test('one that nobody knows names the nearest, and the packages that would make it known', async () => {
    const { url } = createApplication()
    expect(await problem('net-backend', 'af-xpd', url)).toBe(
      'no backend "af-xpd" is installed; did you mean "af-xdp"? allowed: "emulated", "af-xdp" or "tap", or an installed package, here @parakernel/af-xpd or parakernel-af-xpd',
    )
    expect(await problem('net-backend', 'infiniband', url)).toBe(
      'no backend "infiniband" is installed, allowed: "emulated", "af-xdp" or "tap", or an installed package, here @parakernel/infiniband or parakernel-infiniband',
    )
  })
})

describe('third parties', () => {
  const source = "export const backend = { kind: 'net-backend', name: 'nic', options: {} }"

  test.each(['@acme/nic', 'parakernel-nic'])('%s', async (name) => {
    const application = createApplication({ [name]: source })
    const result = await load('net-backend', name === '@acme/nic' ? name : 'nic', application.url)
    expect('loaded' in result && result.loaded.export.name).toBe('nic')
    expect('loaded' in result && result.loaded.url).toContain(`node_modules/${name}/index.js`)
  })

  test('a module of the application', async () => {
    const application = createApplication({})
    application.write('nic.mjs', source)
    expect(await problem('net-backend', './nic.mjs', application.url)).toBe('loaded')
    expect(await problem('net-backend', './none.mjs', application.url)).toBe(
      'backend "./none.mjs": there is no such file',
    )
  })

  test('a package that can only be imported, not required', async () => {
    const application = createApplication({})
    installForImportOnly(application, '@acme/nic', source)
    expect(await problem('net-backend', '@acme/nic', application.url)).toBe('loaded')
    expect(resolvePackage('@acme/nic', application.url)).toMatch(/\/@acme\/nic\/index\.js$/)
  })

  test('a package without the export', async () => {
    const { url } = createApplication({ '@acme/other': 'export const libos = {}' })
    expect(await problem('net-libos', '@acme/other', url)).toBe(
      '@acme/other is no libOS: it has no export "libos" of kind "net-libos"',
    )
  })

  test('a package that was not built', async () => {
    const application = createApplication({ '@parakernel/net': '' })
    rmSync(join(application.directory, 'node_modules/@parakernel/net/index.js'))
    expect(await problem('net-libos', 'net', application.url)).toMatch(
      /^@parakernel\/net is installed but does not load: Cannot find module/,
    )
  })

  test('a package that does not load', async () => {
    const { url } = createApplication({ '@acme/broken': 'throw new Error("no native part for this machine")' })
    expect(await problem('net-libos', '@acme/broken', url)).toBe(
      '@acme/broken is installed but does not load: no native part for this machine',
    )
  })
})

test('nearest names', () => {
  const names = ['address', 'queues', 'interface', 'mtu', 'mac']
  expect(nearest('adress', names)).toBe('address')
  expect(nearest('quuees', names)).toBe('queues')
  expect(nearest('Interface', names)).toBe('interface')
  expect(nearest('mtu2', names)).toBe('mtu')
  expect(nearest('colour', names)).toBeUndefined()
  expect(nearest('mtx', names)).toBe('mtu')
})

test('TypeScript that is not erasable, as an older Node meets all of it', async () => {
  const application = createApplication()
  const text = 'enum Size { Ring = 64 }\nexport default { network: { ringSize: Size.Ring } }\n'
  const file = application.write('parakernel.config.ts', text)
  expect(readFileSync(file, 'utf8')).toContain('enum')
  expect(await importWithJiti(file)).toEqual({ network: { ringSize: 64 } })
})
