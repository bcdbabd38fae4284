import { BLOCK_WRITE } from '@parakernel/hal'
import { Rig } from './rig.ts'

/** Writes a block under a limit of locked memory that is smaller than the window. */
const rig = new Rig()
const user = rig.attach(await rig.open({ path: process.argv[2] }))
const frame = user.frame(1)
const outcome = user.run({ opcode: BLOCK_WRITE, lba: 3, blocks: 1, segments: [[frame, 0, 4096]] })
console.log(`status ${outcome === 'refused' ? outcome : outcome.status}`)
for (const warning of rig.warnings) console.error(warning)
await rig.close()
