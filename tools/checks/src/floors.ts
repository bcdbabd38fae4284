/**
 * The house: a package imports only from the packages named here, all of them on lower floors. Suites stand outside the
 * floors: no package's source imports them, and they may import the contracts that they test.
 */
export const FLOORS: Readonly<
  Record<string, { readonly floor: number; readonly imports: readonly string[]; readonly peers?: readonly string[] }>
> = {
  hal: { floor: 0, imports: [] },
  linux: { floor: 1, imports: ['hal'] },
  emulated: { floor: 2, imports: ['hal'] },
  probes: { floor: 2, imports: ['hal'] },
  'af-xdp': { floor: 2, imports: ['hal', 'linux'] },
  tap: { floor: 2, imports: ['hal', 'linux'] },
  'io-uring': { floor: 2, imports: ['hal', 'linux'] },
  nvme: { floor: 2, imports: ['hal', 'linux'] },
  pmem: { floor: 2, imports: ['hal', 'linux'] },
  kernel: { floor: 3, imports: ['hal'] },
  queue: { floor: 4, imports: ['hal', 'kernel'] },
  net: { floor: 5, imports: ['hal', 'kernel', 'queue'] },
  host: { floor: 5, imports: ['hal', 'kernel', 'queue'] },
  storage: { floor: 5, imports: ['hal', 'kernel', 'queue'] },
  mica: { floor: 5, imports: ['hal'] },
  // Peers are optional: named in `peerDependencies`, imported at run time by name, and in the source as types alone.
  level: { floor: 6, imports: ['hal', 'kernel', 'storage'], peers: ['emulated', 'io-uring', 'linux'] },
  config: {
    floor: 7,
    imports: ['hal', 'kernel', 'queue'],
    peers: ['net', 'host', 'storage', 'emulated', 'af-xdp', 'tap', 'nvme', 'io-uring', 'pmem', 'probes', 'linux'],
  },
}

export const SUITES: Readonly<Record<string, readonly string[]>> = {
  'hal-conformance': ['hal'],
  'libos-conformance': ['hal', 'kernel', 'queue'],
}

/** Takes `typeof import('...')` out of a source: what is left are imports that can load something. */
export function withoutTypeQueries(source: string): string {
  return source.replaceAll(/typeof import\('[^']+'\)/g, '')
}

/** Module specifiers that a source file imports from the workspace, statically or dynamically. */
export function workspaceImports(source: string): string[] {
  const found = source.matchAll(
    /(?:from\s+|import\s*\(\s*|import\s+|require\s*\(\s*|resolve\s*\(\s*)['"]@parakernel\/([a-z-]+)/g,
  )
  return [...new Set([...found].map((match) => match[1] as string))]
}
