/** Below it, shared memory cannot be handed to foreign functions, among others. */
const OLDEST = 22

/** What to say where Node.js is older than the packages support; undefined where it is not. */
export function oldNode(version: string = process.versions.node): string | undefined {
  if (Number.parseInt(version, 10) >= OLDEST) return undefined
  return `needs Node.js ${OLDEST} or newer, and this is ${version}`
}
