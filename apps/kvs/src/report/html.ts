import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { RunResult } from '../run/result.ts'
import { failuresOf } from '../run/result.ts'
import { formatCount, formatDuration, formatShare } from './format.ts'
import { CHART_SCRIPT } from './html-charts.ts'
import { STYLE } from './html-style.ts'

const escapeHtml = (text: string) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')

function asset(name: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(`uplot/dist/${name}`), 'utf8')
}

/** One HTML file that holds everything: data, plots and the plotting library. */
export function htmlReport(result: RunResult): string {
  const { load, latency, seconds, partitions, samples } = result
  const failures = failuresOf(result)
  const tiles = [
    ['throughput', `${formatCount(load.operations / seconds)}/s`, `${formatCount(load.operations)} operations`],
    ['p50', formatDuration(latency.p50), `p90 ${formatDuration(latency.p90)}`],
    ['p99', formatDuration(latency.p99), `p99.9 ${formatDuration(latency.p999)}`],
    ['max', formatDuration(latency.max), `p99.99 ${formatDuration(latency.p9999)}`],
    ['hit rate', formatShare(load.hits, load.reads), `${formatCount(load.reads)} reads`],
    ['wrong reads', `${load.wrong + load.stale}`, `of ${formatCount(load.hits)} checked`],
  ]
  const data = {
    time: samples.map((sample) => sample.time),
    rate: samples.map((sample) => sample.rate),
    p50: samples.map((sample) => sample.p50 / 1000),
    p99: samples.map((sample) => sample.p99 / 1000),
    p999: samples.map((sample) => sample.p999 / 1000),
    partitions: (samples[0]?.partitions ?? []).map((_, p) => samples.map((sample) => sample.partitions[p] ?? 0)),
    curve: latency.curve.map(([above, nanoseconds]) => [above, nanoseconds / 1000]),
  }
  // "<" cannot end the script element early.
  const json = JSON.stringify(data).replace(/</g, '\\u003c')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(result.title)}</title>
<style>${asset('uPlot.min.css')}${STYLE}</style>
</head>
<body>
<header>
<h1>${escapeHtml(result.title)}</h1>
<p class="verdict ${failures.length === 0 ? 'right' : 'wrong'}">${
    failures.length === 0 ? 'Every value that was read was right.' : escapeHtml(failures.join('; '))
  }</p>
</header>
<section class="tiles">${tiles
    .map(([label, value, note]) => `<div><h2>${label}</h2><b>${value}</b><small>${note}</small></div>`)
    .join('')}</section>
<section class="charts">
<figure><figcaption>Throughput, operations a second</figcaption><div id="rate"></div></figure>
<figure><figcaption>Latency over time, logarithmic</figcaption><div id="latency"></div></figure>
<figure><figcaption>Latency that a share of all operations stays below, logarithmic</figcaption><div id="curve"></div></figure>
<figure><figcaption>Requests a second by partition</figcaption><div id="partitions"></div></figure>
</section>
<section class="tables">
<div><h2>Partitions</h2>${partitionTable(result)}</div>
<div><h2>Setting</h2>${rows(result.setting)}</div>
<div><h2>Load</h2>${rows(
    Object.entries(load)
      .filter(([name]) => name !== 'phase')
      .map(([name, value]) => [name, value.toLocaleString('en')]),
  )}</div>
<div><h2>Device</h2>${
    result.device === undefined
      ? '<p>none</p>'
      : rows(Object.entries(result.device).map(([name, value]) => [name, value.toLocaleString('en')]))
  }</div>
${partitions.map((partition, i) => `<div><h2>Partition ${i}</h2>${rows(nonZero(partition))}</div>`).join('\n')}
</section>
<script>${asset('uPlot.iife.min.js')}</script>
<script>const data = ${json};${CHART_SCRIPT}</script>
</body>
</html>
`
}

function rows(entries: readonly (readonly [string, string])[]): string {
  const body = entries.map(([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`)
  return `<table>${body.join('')}</table>`
}

function nonZero({ store, server }: RunResult['partitions'][number]): [string, string][] {
  return Object.entries({ ...store, ...server })
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => [name, value.toLocaleString('en')])
}

function partitionTable({ partitions, seconds }: RunResult): string {
  if (partitions.length === 0) return '<p>not in this process</p>'
  const header = ['', 'requests', 'per second', 'hits', 'items', 'evicted', 'handed over', 'drops']
  const body = partitions.map(({ store, server }, i) => [
    `${i}`,
    formatCount(store.requests),
    formatCount(store.requests / seconds),
    formatShare(store.hits, store.hits + store.misses),
    formatCount(store.items),
    formatCount(store.indexEvictions + store.logEvictions),
    formatCount(server.handedOver),
    formatCount(server.noFrame + server.replyDropped),
  ])
  const line = (cells: readonly string[], tag: string) =>
    `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join('')}</tr>`
  return `<table class="wide">${line(header, 'th')}${body.map((cells) => line(cells, 'td')).join('')}</table>`
}
