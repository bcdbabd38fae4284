/** A host that can do nothing. */
export const host = { name: 'nothing' }
