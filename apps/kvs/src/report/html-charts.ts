/** Runs in the report: draws the plots with uPlot, and again when the width or the colour scheme changes. */
export const CHART_SCRIPT = `
(() => {
  const HEIGHT = 240;
  const compact = (v) => v >= 1e6 ? +(v / 1e6).toFixed(2) + ' M' : v >= 1e3 ? +(v / 1e3).toFixed(1) + ' k' : String(+v.toFixed(2));
  const micro = (v) => v == null ? '' : v >= 1e6 ? +(v / 1e6).toFixed(2) + ' s' : v >= 1e3 ? +(v / 1e3).toFixed(2) + ' ms' : +v.toFixed(1) + ' us';
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const axis = (extra) => ({ stroke: colour('soft'), grid: { stroke: colour('grid'), width: 1 }, ticks: { stroke: colour('grid'), width: 1 }, font: '12px system-ui, sans-serif', size: 64, ...extra });
  const line = (label, name, value) => ({ label, stroke: colour(name), width: 2, points: { show: false }, value: (_, v) => v == null ? '' : value(v) });
  const seconds = { label: 'time', value: (_, v) => v == null ? '' : v.toFixed(2) + ' s' };
  const names = ['a', 'b', 'c', 'd'];
  const powers = (_, splits) => splits.map((v) => Math.abs(Math.log10(v) % 1) < 1e-9 ? micro(v) : null);
  const positive = (list) => list.map((v) => v > 0 ? v : null);
  let charts = [];
  const draw = (id, options, rows) => {
    const place = document.getElementById(id);
    place.textContent = '';
    if (rows[0].length < 2) { place.textContent = 'The run was too short for a curve.'; return; }
    const chart = new uPlot({ width: place.clientWidth, height: HEIGHT, cursor: { y: false }, ...options }, rows, place);
    charts.push([chart, place]);
  };
  const logRange = (_, min, max) => [10 ** Math.floor(Math.log10(min)), 10 ** Math.ceil(Math.log10(max))];
  const all = () => {
    for (const [chart] of charts) chart.destroy();
    charts = [];
    const time = axis({ size: 40, values: (_, splits) => splits.map((v) => v + ' s') });
    const x = { time: false };
    const fromZero = { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] };
    draw('rate', { scales: { x, y: fromZero }, axes: [time, axis({ values: (_, s) => s.map(compact) })],
      series: [seconds, { ...line('operations/s', 'a', compact), fill: colour('a') + '22' }] }, [data.time, data.rate]);
    draw('latency', { scales: { x, y: { distr: 3, range: logRange } }, axes: [time, axis({ values: powers })],
      series: [seconds, line('p50', 'd', micro), line('p99', 'a', micro), line('p99.9', 'b', micro)] },
      [data.time, positive(data.p50), positive(data.p99), positive(data.p999)]);
    // Nines to the right: -log10 of the share of slower operations.
    const nines = data.curve.map(([above]) => -Math.log10(above));
    const share = (v) => v < 0.01 ? '0 %' : (100 * (1 - 10 ** -v)).toFixed(Math.max(0, Math.ceil(v) - 2)) + ' %';
    draw('curve', { scales: { x, y: { distr: 3, range: logRange } },
      axes: [axis({ size: 40, space: 84, values: (_, s) => s.map((v) => Number.isInteger(v) ? share(v) : '') }), axis({ values: powers })],
      series: [{ label: 'operations below', value: (_, v) => v == null ? '' : share(v) }, line('latency', 'c', micro)] },
      [nines, positive(data.curve.map(([, us]) => us))]);
    draw('partitions', { scales: { x, y: fromZero }, axes: [time, axis({ values: (_, s) => s.map(compact) })],
      series: [seconds, ...data.partitions.map((_, p) => line('partition ' + p, names[p % names.length], compact))] },
      [data.partitions.length > 0 ? data.time : [], ...data.partitions]);
  };
  all();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', all);
  addEventListener('resize', () => { for (const [chart, place] of charts) chart.setSize({ width: place.clientWidth, height: HEIGHT }); });
})();
`
