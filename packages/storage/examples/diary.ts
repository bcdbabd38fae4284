import { openFile, readFile, replaceFile, type StorageLibOS } from '@parakernel/queue'

/**
 * A diary: a folder of pages, an index that is replaced at once, and a file that is only appended to. Knows the contract and no libOS; run
 * it on whichever by `run-diary.ts`.
 */
export async function keepDiary(libos: StorageLibOS, say: (line: string) => void): Promise<void> {
  libos.mkdir('/pages')

  // With promises. A page is on stable media when the write resolves.
  for (const [name, text] of Object.entries({ monday: 'Rain.', tuesday: 'Still rain.', wednesday: 'Sun at last.' })) {
    await using page = await openFile(libos, `/pages/${name}`, { write: true, create: true, durability: 'flushed' })
    await page.write(text)
  }
  libos.rename('/pages/monday', '/pages/a wet monday')
  await replaceFile(libos, '/index', libos.readdir('/pages').join('\n'))
  say(`pages: ${new TextDecoder().decode(await readFile(libos, '/index')).replaceAll('\n', ', ')}`)

  // As a web stream: packed on the way.
  const page = await openFile(libos, '/pages/wednesday')
  const packed = await openFile(libos, '/wednesday.gz', { write: true, create: true })
  await page.readable.pipeThrough(new CompressionStream('gzip')).pipeTo(packed.writable)
  const again = await openFile(libos, '/wednesday.gz')
  say(`unpacked: ${await new Response(again.readable.pipeThrough(new DecompressionStream('gzip'))).text()}`)

  // With tokens, many at once, in order: what the promises are made of.
  const log = libos.open('/log', { write: true, create: true, append: true })
  const tokens = Array.from({ length: 100 }, (_, i) => {
    const sga = libos.sgaAlloc(8)
    for (const { address } of sga.segments) libos.pool.copyIn(address, new TextEncoder().encode(`entry ${i % 10}\n`))
    const token = libos.push(log, sga)
    sga.free()
    return token
  })
  let bytes = 0
  for (const token of tokens) {
    const completion = await libos.runtime.completion(token)
    if (completion.kind === 'push') bytes += completion.bytes
  }
  await libos.runtime.completion(libos.sync(log))
  libos.close(log)
  say(`log: ${tokens.length} entries, ${bytes} bytes, ${libos.stat('/log').size} in the file`)
}
