// Fields of a checkpoint block behind its header, in bytes. Those below 64 are written by checkpoints alone; the others
// change by transactions like all metadata.
/** 64 bits each: number of this checkpoint; times that the volume was mounted for writing. */
export const CHECKPOINT_NUMBER_AT = 32
export const EPOCH_AT = 40
/** Number of the first record of the journal that is not in this checkpoint (64 bits); it stands at the journal's start. */
export const JOURNAL_SEQUENCE_AT = 48
/** A bit for each snapshot slot in use. */
export const SNAPSHOT_MASK_AT = 64
/** 32 bits for each slot: what its descriptor has to say, so that one of an earlier use is not taken for it. */
export const SNAPSHOT_TAGS_AT = 512
/** The inode whose blocks are the inode table. */
export const TABLE_AT = 128
