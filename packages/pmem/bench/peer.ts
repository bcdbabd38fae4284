import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('pmemlog.c', import.meta.url))

/** What this machine lacks to run libpmemlog, with the remedy; undefined when it can. */
export function pmemlogMissing(): string | undefined {
  if (spawnSync('gcc', ['--version']).error !== undefined) return 'gcc is missing: install gcc and libc6-dev'
  if (!existsSync('/usr/include/libpmemlog.h')) return 'libpmemlog is missing: install libpmemlog-dev'
  return undefined
}

/**
 * Nanoseconds of an append of libpmemlog, in C, on a file of its own in `folder`; one figure a trial. The first trial touches the
 * pages.
 */
export function measurePmemlog(folder: string, length: number, records: number, trials: number): number[] {
  const work = mkdtempSync(join(tmpdir(), 'pk-pmemlog-'))
  const path = join(folder, 'pmemlog')
  try {
    const program = join(work, 'pmemlog')
    execFileSync('gcc', ['-O2', '-o', program, source, '-lpmemlog'])
    const text = execFileSync(program, [path, String(length), String(records), String(trials)], {
      encoding: 'utf8',
      // Without it the library takes tmpfs for a disk, and calls msync.
      env: { ...process.env, PMEM_IS_PMEM_FORCE: '1' },
    })
    return text.trim().split('\n').map(Number)
  } finally {
    rmSync(work, { recursive: true })
    rmSync(path, { force: true })
  }
}
