import type { Script } from '../language/script.ts'

/** KERNEL.md: every script in which Linux does something else than our stack, or that only one of them runs, with the reason. */
export function differenceList(scripts: readonly Script[], summary: string): string {
  const differing = scripts.filter(({ settings }) => settings.differences.length > 0)
  const alone = scripts.filter(({ settings }) => settings.only !== undefined)
  return `# Where Linux and our stack differ

Written by \`pnpm scripts --kernel\`, which runs every script against both. ${summary}

A script that has no entry here holds for both as it stands. Where they do different things, the script has lines for each,
marked \`linux\` and \`ours\`, and both are checked; the reason stands in the script, and here.

## Different behaviour

${differing.map(({ file, settings }) => item(file, settings.differences.join('; '))).join('\n')}

## Run by one alone

${alone.length === 0 ? 'None.' : alone.map(({ file, settings: { only } }) => item(file, `${only?.subject}: ${only?.reason}`)).join('\n')}

## What the comparison leaves out

- The kernel's times are real: they may be 15 ms and an eighth off (its timers have a grain of 4 ms and coarser, the longer
  they run). Ours are exact on the virtual clock.
- The kernel's sockets use \`reno\`, set on each socket; nothing of the host is changed. Each script has a network namespace
  of its own, whose sysctls it may set.
- PSH is compared where a script has it: both set it on the last segment of a write, the kernel on others too.
- Windows are compared where a script has them; buffers are sized differently.
`
}

function item(file: string, text: string): string {
  return `- [${file.replace(/^scripts\//, '').replace(/\.pkt$/, '')}](${file}): ${text}.`
}
