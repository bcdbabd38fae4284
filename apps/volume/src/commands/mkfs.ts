import { isBlankMedium, type MakeVolumeOptions, makeVolume } from '@parakernel/storage'
import { EXIT, Failure } from '../exit-codes.ts'
import { type Invocation, text } from '../invocation.ts'
import { formatBytes, parseBytes } from '../report/format.ts'
import { Progress } from '../report/progress.ts'
import { withMedium } from '../session.ts'
import type { Command } from './command.ts'

export const mkfs: Command = {
  name: 'mkfs',
  description: 'makes a volume, and the image if need be',
  words: '',
  least: 0,
  most: 0,
  args: {
    size: { type: 'string', valueHint: 'bytes', description: 'of an image that is made, as in 64MiB' },
    'block-size': { type: 'string', valueHint: 'bytes', description: 'of the device beneath; 4096' },
    'cluster-size': { type: 'string', valueHint: 'bytes', description: 'by which media are given to files; 4096' },
    'journal-size': { type: 'string', valueHint: 'bytes', description: 'by the size of the image when absent' },
    snapshots: { type: 'string', valueHint: 'number', description: 'how many the volume can have; 8' },
    checksums: { type: 'boolean', default: true, description: 'of data', negativeDescription: 'none of data' },
    force: { type: 'boolean', alias: 'f', description: 'whatever is there' },
  },
  examples: ['mkfs --path disk.img --size 64MiB', 'mkfs --path /dev/loop0 --force'],
  run: (invocation) => withMedium(invocation, { create: true }, (medium) => make(invocation, medium)),
}

async function make(invocation: Invocation, medium: Parameters<typeof makeVolume>[0]): Promise<undefined> {
  const { args, json, image, terminal } = invocation
  const options = optionsOf(args)
  if (options.overwrite !== true && !(await isBlankMedium(medium)) && !(await holdsOurs(medium))) {
    throw new Failure(EXIT.failed, `${image.path} holds something that is no volume; --force overwrites it`)
  }
  const progress = new Progress(() => `mkfs: ${formatBytes(medium.counters.get('bytesWritten'))} written`, invocation)
  try {
    const geometry = await makeVolume(medium, options)
    if (json) terminal.out(JSON.stringify(geometry, null, 2))
    else {
      const { uuid, clusters, clusterSize, journalSize, maxSnapshots, checksums } = geometry
      terminal.out(
        `${image.path}: volume ${uuid}, ${formatBytes(clusters * clusterSize)} in clusters of ${formatBytes(clusterSize)}, ` +
          `journal ${formatBytes(journalSize)}, up to ${maxSnapshots} snapshots, ${checksums ? 'checksums of data' : 'no checksums of data'}`,
      )
    }
  } finally {
    progress.end()
  }
}

/** An image of ours is the engine's to refuse, which says what it is. */
async function holdsOurs(medium: Parameters<typeof makeVolume>[0]): Promise<boolean> {
  const { decodeHeader, headerBlock, read } = await import('@parakernel/storage')
  return typeof decodeHeader(await read(medium, 0, headerBlock(medium))) !== 'string'
}

function optionsOf(args: Readonly<Record<string, unknown>>): MakeVolumeOptions {
  const [cluster, journal, snapshots] = [
    text(args, 'cluster-size'),
    text(args, 'journal-size'),
    text(args, 'snapshots'),
  ]
  if (snapshots !== undefined && !/^\d+$/.test(snapshots)) {
    throw new Failure(EXIT.usage, `--snapshots: ${snapshots} is no number`)
  }
  return {
    ...(cluster !== undefined && { clusterSize: parseBytes(cluster, '--cluster-size') }),
    ...(journal !== undefined && { journalSize: parseBytes(journal, '--journal-size') }),
    ...(snapshots !== undefined && { snapshots: Number(snapshots) }),
    checksums: args['checksums'] !== false,
    overwrite: args['force'] === true,
  }
}
