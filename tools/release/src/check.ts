import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publishedPackages } from '@parakernel/tool-checks/readme-examples'
import { root } from '@parakernel/tool-checks/workspace'
import { smokeTest } from './smoke.ts'

/** Runs every check of a release, prints a line for each and the failures in full. Needs a build. */

const bin = (name: string) => join(root, 'tools/release/node_modules/.bin', name)
let passed = 0
let failed = 0

function report(name: string, failures: readonly string[]): void {
  if (failures.length === 0) passed++
  else failed++
  console.log(`${failures.length === 0 ? 'ok' : 'FAILED'}  ${name}`)
  for (const failure of failures) console.log(failure.replace(/^/gm, '    '))
}

function command(name: string, file: string, args: readonly string[], cwd = root): void {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, encoding: 'utf8' })
  report(name, status === 0 ? [] : [`${stdout}${stderr}`])
}

const pack = mkdtempSync(join(tmpdir(), 'pk-pack-'))
try {
  command('knip: no dead files, exports or dependencies', bin('knip'), ['--no-progress'])
  const tarballs = new Map<string, string>()
  for (const { manifest, directory } of publishedPackages()) {
    const before = new Set(readdirSync(pack))
    const { status, stderr, stdout } = spawnSync('pnpm', ['pack', '--pack-destination', pack], {
      cwd: directory,
      encoding: 'utf8',
    })
    const tarball = readdirSync(pack).find((file) => !before.has(file))
    if (status !== 0 || tarball === undefined) {
      report(`pack ${manifest.name}`, [`${stdout}${stderr}`])
      continue
    }
    const path = join(pack, tarball)
    tarballs.set(manifest.name, path)
    command(`publint ${manifest.name}`, bin('publint'), ['run', path, '--strict'])
    // Packages are ESM only; `require` of ESM works on every Node that they support.
    command(`types of ${manifest.name}`, bin('attw'), [path, '--profile', 'esm-only'])
  }
  report('packed packages on Node 22, 24 and 26', smokeTest(tarballs))
  command('API reference', bin('typedoc'), ['--options', join(root, 'tools/release/typedoc.json')])
  command('changesets', join(root, 'node_modules/.bin/changeset'), ['status'])
} finally {
  rmSync(pack, { recursive: true, force: true })
}
console.log(`\nrelease checks: ${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
