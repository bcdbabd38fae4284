import type { ScriptResult } from './run.ts'

/** The pass table in Markdown: by folder of scripts, then each that failed with what packetdrill said first. */
export function formatReport(results: readonly ScriptResult[], commit: string): string {
  const folders = [...new Set(results.map(folderOf))].sort()
  const count = (some: readonly ScriptResult[], outcome: ScriptResult['outcome']) =>
    some.filter((result) => result.outcome === outcome).length
  const row = (title: string, some: readonly ScriptResult[]) => {
    const excluded = count(some, 'excluded')
    const passed = count(some, 'passed')
    return `| ${title} | ${some.length} | ${passed} | ${some.length - passed - excluded} | ${excluded} |`
  }
  const failures = results.filter(({ outcome }) => outcome === 'failed' || outcome === 'timed out')
  const exclusions = [...new Set(results.filter(({ outcome }) => outcome === 'excluded').map(({ output }) => output))]
  return [
    `Commit ${commit}.`,
    '',
    '| scripts | runs | passed | failed | not run |',
    '|---|---|---|---|---|',
    ...folders.map((folder) =>
      row(
        folder,
        results.filter((result) => folderOf(result) === folder),
      ),
    ),
    row('**all**', results),
    '',
    'Not run, because a script uses:',
    '',
    ...exclusions
      .sort()
      .map((reason) => `- ${reason}: ${results.filter(({ output }) => output === reason).length} runs`),
    '',
    ...(failures.length === 0 ? ['Nothing failed.'] : ['Failed:', '', ...failures.map(failureLine)]),
    '',
  ].join('\n')
}

function folderOf({ run }: ScriptResult): string {
  return run.name.split('/').slice(0, -1).join('/')
}

function failureLine({ run, outcome, output }: ScriptResult): string {
  const said =
    output.split('\n').find((line) => line.includes('.pkt:') || line.includes('error')) ?? output.split('\n')[0]
  return `- ${run.name} (${run.variant}): ${outcome === 'timed out' ? 'timed out' : said.slice(0, 200)}`
}
