/** URL of this package's entry, by which a grant names who attaches it: from source, or from the built chunk beside it. */
export const MODULE = new URL(import.meta.url.endsWith('.ts') ? './index.ts' : './index.js', import.meta.url).href
