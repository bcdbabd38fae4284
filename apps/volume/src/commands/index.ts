import { cat } from './cat.ts'
import type { Command } from './command.ts'
import { cp } from './cp.ts'
import { df } from './df.ts'
import { fsck } from './fsck.ts'
import { info } from './info.ts'
import { ls } from './ls.ts'
import { mkfs } from './mkfs.ts'
import { mkdir, mv, rm } from './names.ts'
import { scrub } from './scrub.ts'
import { snapshot } from './snapshot.ts'

export const commands: readonly Command[] = [mkfs, info, ls, cat, cp, mv, rm, mkdir, df, fsck, scrub, snapshot]
