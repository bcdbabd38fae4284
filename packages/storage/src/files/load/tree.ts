import { parsePath } from '@parakernel/queue'
import { getUint64, setUint64 } from '../../format/header.ts'
import { ENTRIES_AT, ENTRY_HEAD, encodeName, entriesOf, type RawEntry, USED_AT } from '../directory/entries.ts'
import { LINKS_AT, PARENT_AT, SIZE_AT } from '../inode/inode.ts'
import { DIRECTORY, FILE, ROOT_INODE } from '../layout/constants.ts'
import type { MetaBlock } from '../meta/block.ts'
import type { FoundInode } from './loader.ts'
import type { Problems } from './problems.ts'

export interface Tree {
  readonly orphans: number[]
  readonly adrift: number[]
  readonly directories: number
}

interface Visit {
  readonly inode: FoundInode
  readonly path: string
}

/**
 * Verifies that the directories are one tree over all live inodes. Each inode is reached once; an entry that would reach one a second
 * time is reported and removed, so that no ring of directories is followed.
 */
export function checkTree(inodes: ReadonlyMap<number, FoundInode>, problems: Problems): Tree {
  const orphans: number[] = []
  const adrift: number[] = []
  let directories = 0
  const walk = (start: Visit): void => {
    const stack: Visit[] = [start]
    for (let visit = stack.pop(); visit !== undefined; visit = stack.pop()) {
      directories++
      checkDirectory(visit, inodes, problems, stack)
    }
  }
  const root = inodes.get(ROOT_INODE)
  if (root === undefined || root.kind !== DIRECTORY) problems.lost('there is no root directory')
  else {
    root.reached = true
    checkParent(root, ROOT_INODE, '/', problems)
    checkLinks(root, '/', problems)
    walk({ inode: root, path: '' })
  }
  for (const inode of inodes.values()) {
    if (inode.reached) continue
    inode.reached = true
    const { number, kind, block, base } = inode
    if (kind === FILE && block.view.getUint32(base + LINKS_AT, true) === 0) {
      orphans.push(number)
      continue
    }
    const path = `/lost+found/#${number}`
    problems.damage(`inode ${number} is in no directory`, `it goes to ${path}`)
    checkLinks(inode, path, problems)
    adrift.push(number)
    if (kind === DIRECTORY) walk({ inode, path })
  }
  return { orphans, adrift, directories }
}

function checkDirectory(
  { inode, path }: Visit,
  inodes: ReadonlyMap<number, FoundInode>,
  problems: Problems,
  stack: Visit[],
): void {
  const names = new Set<string>()
  for (const block of inode.blocks) {
    const kept: RawEntry[] = []
    let whole = true
    const complain = (message: string, repair: string) => {
      whole = false
      problems.damage(message, repair)
    }
    const defect = (reason: string) =>
      complain(`${path === '' ? '/' : path}: a block ${reason}`, 'the names behind it are lost')
    for (const entry of entriesOf(block.bytes, defect)) {
      const reason = entryDefect(entry, names, inodes)
      const own = `${path}/${entry.name}`
      if (reason !== undefined) {
        complain(`${own} ${reason}`, 'the name is removed')
        continue
      }
      kept.push(entry)
      names.add(entry.name)
      const child = inodes.get(entry.inode) as FoundInode
      child.reached = true
      checkLinks(child, own, problems)
      if (child.kind !== DIRECTORY) continue
      checkParent(child, inode.number, own, problems)
      stack.push({ inode: child, path: own })
    }
    if (!whole) rewrite(block, kept)
  }
  const size = getUint64(inode.block.view, inode.base + SIZE_AT)
  if (size === names.size) return
  problems.damage(
    `${path === '' ? '/' : path} says that it has ${size} names, and has ${names.size}`,
    'they are counted',
  )
  setUint64(inode.block.view, inode.base + SIZE_AT, names.size)
}

function entryDefect(
  { name, inode, kind }: RawEntry,
  names: ReadonlySet<string>,
  inodes: ReadonlyMap<number, FoundInode>,
): string | undefined {
  if (names.has(name)) return 'is there twice'
  if (!isName(name)) return 'is no valid name'
  const child = inodes.get(inode)
  if (child === undefined) return `is inode ${inode}, which is none`
  if (child.kind !== kind) return `says that it is of kind ${kind}, its inode is of ${child.kind}`
  if (child.reached) return `is inode ${inode}, which has a name already`
  return undefined
}

function isName(name: string): boolean {
  try {
    return parsePath(`/${name}`).length === 1
  } catch {
    return false
  }
}

function checkParent({ block, base }: FoundInode, parent: number, path: string, problems: Problems): void {
  if (block.view.getUint32(base + PARENT_AT, true) === parent) return
  problems.damage(`${path} does not know the directory that it is in`, 'it is told')
  block.view.setUint32(base + PARENT_AT, parent, true)
}

function checkLinks({ block, base }: FoundInode, path: string, problems: Problems): void {
  if (block.view.getUint32(base + LINKS_AT, true) === 1) return
  problems.damage(`${path} says that it has no name`, 'it has one')
  block.view.setUint32(base + LINKS_AT, 1, true)
}

function rewrite(block: MetaBlock, entries: readonly RawEntry[]): void {
  let at = ENTRIES_AT
  const body = new Uint8Array(block.bytes.length)
  const view = new DataView(body.buffer)
  for (const { inode, kind, name, length } of entries) {
    view.setUint32(at, inode, true)
    body[at + 4] = kind
    body[at + 5] = length - ENTRY_HEAD
    body.set(encodeName(name), at + ENTRY_HEAD)
    at += length
  }
  block.bytes.set(body.subarray(ENTRIES_AT), ENTRIES_AT)
  block.view.setUint32(USED_AT, at - ENTRIES_AT, true)
}
