import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type WorkspacePackage, workspacePackages } from './workspace.ts'

export interface ReadmeExample {
  readonly owner: WorkspacePackage
  readonly code: string
}

const FENCE = /^```ts example\n([\s\S]*?)^```/m

/** The example of a README: its block fenced as `ts example`. Undefined where there is none. */
export function exampleOf(owner: WorkspacePackage): ReadmeExample | undefined {
  const readme = join(owner.directory, 'README.md')
  if (!existsSync(readme)) return undefined
  const code = FENCE.exec(readFileSync(readme, 'utf8'))?.[1]
  return code === undefined ? undefined : { owner, code }
}

export function publishedPackages(): WorkspacePackage[] {
  return workspacePackages('packages').filter(({ manifest }) => manifest.private !== true)
}
