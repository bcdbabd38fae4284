// Kinds of commands. The store's opcode is in the batch, if the command has operations there.
export const KIND_FIXED = 0
/** get, gets, gat, gats: any number of keys. */
export const KIND_RETRIEVE = 1
/** set, add, replace, append, prepend, cas. */
export const KIND_STORE = 2
export const KIND_DELETE = 3
export const KIND_TOUCH = 4
/** incr, decr: the operand is the delta; `argument` 1 for decr. */
export const KIND_ARITHMETIC = 5
/** `argument` is the delay in seconds. Visits every partition. */
export const KIND_FLUSH = 6
export const KIND_STATS = 7

/**
 * Commands that were parsed, as columns; each points at its run of operations in the batch. A command without operations
 * has a fixed answer, or is one about the server.
 */
export class CommandTable {
  readonly capacity: number
  count = 0
  readonly kind: Int32Array
  /** First operation in the batch, and how many. */
  readonly first: Int32Array
  readonly operations: Int32Array
  readonly noreply: Uint8Array
  /** KIND_FIXED: which text; -1 = say nothing. Others: as said there. */
  readonly argument: Int32Array
  /** gets, gats: show the version. */
  readonly withVersion: Uint8Array

  constructor(capacity: number) {
    this.capacity = capacity
    this.kind = new Int32Array(capacity)
    this.first = new Int32Array(capacity)
    this.operations = new Int32Array(capacity)
    this.noreply = new Uint8Array(capacity)
    this.argument = new Int32Array(capacity)
    this.withVersion = new Uint8Array(capacity)
  }

  add(kind: number, first: number, operations: number, argument: number, noreply: boolean, withVersion = false): void {
    const c = this.count++
    this.kind[c] = kind
    this.first[c] = first
    this.operations[c] = operations
    this.argument[c] = argument
    this.noreply[c] = noreply ? 1 : 0
    this.withVersion[c] = withVersion ? 1 : 0
  }
}
