import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { defineCommand, runMain } from 'citty'
import { build } from './build.ts'
import { formatReport } from './report.ts'
import { runScript, type ScriptResult } from './run.ts'
import type { Variant } from './script-settings.ts'
import { ALL_VARIANTS, findScripts, type ScriptRun } from './scripts.ts'

const command = defineCommand({
  meta: {
    name: 'packetdrill',
    description:
      'Builds a checkout of packetdrill and runs its scripts against our stack on virtual time. Needs root, gcc, make, bison, flex and unshare.',
  },
  args: {
    source: { type: 'string', required: true, description: 'folder of the checkout' },
    match: { type: 'string', default: '', description: 'only scripts whose path contains this' },
    variants: { type: 'string', default: ALL_VARIANTS.join(','), description: 'with commas between' },
    timeout: { type: 'string', default: '60', description: 'seconds that a script may take' },
    report: { type: 'string', description: 'file for the table, in Markdown; printed when absent' },
    verbose: { type: 'boolean', default: false, description: 'what packetdrill said, for each script that fails' },
  },
  async run({ args }) {
    const variants = args.variants.split(',') as Variant[]
    const unknown = variants.find((variant) => !ALL_VARIANTS.includes(variant))
    if (unknown !== undefined) return refuse(`--variants: there is no ${unknown}, only ${ALL_VARIANTS.join(', ')}`)
    const timeout = Number(args.timeout) * 1000
    if (!(timeout > 0)) return refuse(`--timeout ${args.timeout}: a number of seconds`)
    if (process.getuid?.() !== 0) return refuse('needs root: each script gets a network namespace of its own')
    const output = mkdtempSync(join(tmpdir(), 'pk-packetdrill-build-'))
    try {
      const built = build(args.source, output)
      const runs = findScripts(built.scripts, variants, args.match)
      if (runs.length === 0) return refuse(`no script matches '${args.match}'`)
      const results = await runAll(runs, (run) => runScript(built, run, timeout), args.verbose)
      const report = formatReport(results, built.commit)
      if (args.report === undefined) console.log(report)
      else writeFileSync(args.report, report)
      process.exitCode = results.every(({ outcome }) => outcome === 'passed' || outcome === 'excluded') ? 0 : 1
    } catch (error) {
      refuse((error as Error).message)
    } finally {
      rmSync(output, { recursive: true, force: true })
    }
  },
})

async function runAll(
  runs: readonly ScriptRun[],
  one: (run: ScriptRun) => Promise<ScriptResult>,
  verbose: boolean,
): Promise<ScriptResult[]> {
  const results: ScriptResult[] = []
  let next = 0
  const worker = async () => {
    while (next < runs.length) {
      const at = next++
      const result = await one(runs[at])
      results[at] = result
      if (result.outcome !== 'excluded') {
        console.error(`${result.outcome.padEnd(9)} ${result.run.name} (${result.run.variant})`)
        if (verbose && result.outcome !== 'passed') console.error(result.output)
      }
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return results
}

function refuse(message: string): void {
  console.error(message)
  process.exitCode = 2
}

await runMain(command)
