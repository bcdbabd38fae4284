import type { Engine } from '../engine.ts'
import type { Task } from '../io/task.ts'
import { INODE_SIZE } from '../layout/constants.ts'
import { SNAPSHOT_MASK_AT, SNAPSHOT_TAGS_AT, TABLE_AT } from '../layout/root.ts'
import { fillBitmapBlock } from '../space/bitmap.ts'
import { setBits } from '../space/bits.ts'
import { union } from '../space/space.ts'
import { encodeSnapshot, type Snapshot } from './slots.ts'
import type { SnapshotSet } from './snapshot-set.ts'

/**
 * Keeps what the next commit makes durable. From the capture on, what it holds is frozen in memory; it exists once its slot is written
 * and the root names it. A crash before that leaves no trace.
 */
export function* createSnapshot(engine: Engine, set: SnapshotSet, name: string, slot: number): Task<void> {
  const { core, committer, writer } = engine
  const { root, space, geometry } = core
  const tag = (root.view.getUint32(SNAPSHOT_TAGS_AT + 4 * slot, true) + 1) >>> 0
  let snapshot: Snapshot | undefined
  yield* committer.commit(() => {
    const table = root.bytes.slice(TABLE_AT, TABLE_AT + INODE_SIZE)
    snapshot = { slot, tag, name, created: engine.time(), table, words: space.usedWords() }
    space.setFrozen(union([...set.all.map(({ words }) => words), snapshot.words], geometry.clusters))
  })
  const made = snapshot as unknown as Snapshot
  yield* writer.write(geometry.snapshotSlot(slot), encodeSnapshot(made, geometry), false)
  // Everything that it refers to goes home, with its slot: nothing of it is found by the journal alone.
  yield* committer.checkpoint(true)
  core.store.touch(root)
  root.view.setUint32(SNAPSHOT_MASK_AT, root.view.getUint32(SNAPSHOT_MASK_AT, true) | (1 << slot), true)
  root.view.setUint32(SNAPSHOT_TAGS_AT + 4 * slot, tag, true)
  set.add(made)
  yield* committer.commit()
}

/** Forgets a snapshot. Its clusters are free when that is durable. */
export function* deleteSnapshot(engine: Engine, set: SnapshotSet, snapshot: Snapshot): Task<void> {
  const { core, committer } = engine
  const { root, store, space } = core
  store.touch(root)
  root.view.setUint32(SNAPSHOT_MASK_AT, root.view.getUint32(SNAPSHOT_MASK_AT, true) & ~(1 << snapshot.slot), true)
  yield* committer.commit()
  set.remove(snapshot)
  space.setFrozen(set.frozen)
  // Old versions of blocks that it held may still wait to be written home: not over somebody else's data.
  store.dropReleased()
}

/** Makes the live volume what a snapshot is. All that was in memory of it is out of date afterwards. */
export function* rollBack(engine: Engine, snapshot: Snapshot): Task<void> {
  const { core, committer } = engine
  const { root, store, space, geometry } = core
  yield* committer.commit()
  yield* committer.checkpoint()
  store.touch(root)
  root.bytes.set(snapshot.table, TABLE_AT)
  const words = snapshot.words.slice()
  setBits(words, 0, geometry.dataStart)
  setBits(words, geometry.dataEnd, geometry.clusters - geometry.dataEnd)
  space.bitmap.blocks.forEach((block, i) => {
    store.touch(block)
    fillBitmapBlock(block.bytes, i, words)
  })
  yield* committer.commit()
  yield* committer.checkpoint()
}
