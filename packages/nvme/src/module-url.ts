/** The module that exports `blockBackend`: `index.ts` beside this file in the source, `index.js` in the bundle. */
export const MODULE_URL = new URL(import.meta.url.endsWith('.ts') ? './index.ts' : './index.js', import.meta.url).href
