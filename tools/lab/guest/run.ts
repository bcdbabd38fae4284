import { writeSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

// In the payload this name is the small runner, for the suites and for the packages that register cases of their own.
const runner = 'vitest'
const { fullName, listTests, runTests } = (await import(runner)) as typeof import('./vitest/index.ts')

const usage = 'node run.js [--list | --match TEXT] file.js ...'
const words = process.argv.slice(2)
const list = words[0] === '--list' && words.shift() !== undefined
let match = ''
if (words[0] === '--match') match = words.splice(0, 2)[1] ?? ''
if (words.length === 0) throw new Error(usage)

const print = (line: string) => writeSync(1, `${line}\n`)

for (const file of words) await import(pathToFileURL(file).href)
if (list) {
  print(JSON.stringify(listTests().map(fullName)))
  process.exit(0)
}
const failed = await runTests(print, match)
// Whatever a suite left running, the machine ends here.
process.exit(failed === 0 ? 0 : 1)
