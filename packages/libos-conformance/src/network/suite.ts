import { describe } from 'vitest'
import { accounting } from './accounting.ts'
import { binding } from './binding.ts'
import { closing } from './closing.ts'
import { connecting } from './connecting.ts'
import { datagrams } from './datagrams.ts'
import { fastFace } from './fast-face.ts'
import type { NetworkLibosConformance } from './fixture.ts'
import { groups } from './groups.ts'
import { options } from './options.ts'
import { synchronousWait } from './synchronous-wait.ts'

/** Declares the suite of the `NetworkLibOS` contract, its datagram half, for one implementation. Call it in a test file. */
export function networkLibosConformance(suite: NetworkLibosConformance): void {
  describe(`network libOS: ${suite.name}`, () => {
    binding(suite)
    connecting(suite)
    datagrams(suite)
    options(suite)
    groups(suite)
    fastFace(suite)
    closing(suite)
    accounting(suite)
    synchronousWait(suite)
  })
}
