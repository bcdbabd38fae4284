import { expect, it } from 'vitest'
import { keepDiary } from '../../examples/diary.ts'
import { mediaKinds } from './media.ts'
import { hostVolume } from './oracle.ts'
import { openVolume } from './volume.ts'

it('the diary is the same on the file system of the host and on a volume of ours', async () => {
  const said: string[][] = []
  for (const party of [await hostVolume(), await openVolume(mediaKinds[0])]) {
    const lines: string[] = []
    await keepDiary(party.libos, (line) => lines.push(line))
    said.push(lines)
    await party.libos.shutdown()
    await party.close()
  }
  expect(said[0]).toEqual([
    'pages: a wet monday, tuesday, wednesday',
    'unpacked: Sun at last.',
    'log: 100 entries, 800 bytes, 800 in the file',
  ])
  expect(said[1]).toEqual(said[0])
})
