/**
 * `vitest run`, and once more the files whose process ended under them. Node itself has been seen to end once in some thousand threads
 * (see vitest.ts); a file whose process ends twice in a row is a defect. Both are said in the summary.
 */
import { createVitest, parseCLI } from 'vitest/node'
import { messageOf, printSummary, unfinished } from './summary.ts'

const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)])
const vitest = await createVitest({ ...options, watch: false, reporters: ['default'] })

let { testModules, unhandledErrors } = await vitest.start(filter)
const again = testModules.filter(unfinished)
const ended = unhandledErrors.filter((error) => messageOf(error).startsWith('[vitest-pool]'))
if (again.length > 0 && ended.length === unhandledErrors.length) {
  const second = await vitest.runTestSpecifications(again.map((module) => module.toTestSpecification()))
  testModules = vitest.state.getTestModules()
  unhandledErrors = second.unhandledErrors
  for (const error of ended) console.log(`run a second time: ${messageOf(error)}`)
}
const failures = printSummary(testModules, unhandledErrors)
await vitest.close()
process.exit(failures === 0 && testModules.length > 0 ? 0 : 1)
