/** Colours are variables, so that one script draws both schemes. */
export const STYLE = `
:root { color-scheme: light dark; --back: #fbfbfa; --panel: #ffffff; --line: #e3e3df; --text: #1d1d1b; --soft: #6b6b66;
  --grid: #ececE8; --a: #2563a8; --b: #c2571a; --c: #8a3fa0; --d: #2c7d4f; --right: #23703f; --wrong: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --back: #161615; --panel: #1f1f1e; --line: #343432; --text: #ececea;
  --soft: #a3a39d; --grid: #2c2c2a; --a: #6ea8e6; --b: #ee9a5d; --c: #c98be0; --d: #6cc592; --right: #6cc592; --wrong: #ff897d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 28px 24px 48px; background: var(--back); color: var(--text);
  font: 14px/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 20px; margin: 0; font-weight: 600; }
h2 { font-size: 12px; margin: 0 0 6px; font-weight: 600; color: var(--soft); }
.verdict { margin: 4px 0 20px; }
.verdict.right { color: var(--right); }
.verdict.wrong { color: var(--wrong); font-weight: 600; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 12px; }
.tiles div, figure, .tables > div { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 12px 14px; }
.tiles b { display: block; font-size: 22px; font-weight: 600; line-height: 1.2; }
.tiles small { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(480px, 1fr)); gap: 12px; margin: 12px 0; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 12px; font-weight: 600; color: var(--soft); margin-bottom: 6px; }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 12px; align-items: start; }
.tables > div:first-child { grid-column: 1 / -1; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: right; padding: 3px 6px; border-top: 1px solid var(--line); font-weight: 400; }
tr:first-child > * { border-top: 0; }
th:first-child { text-align: left; color: var(--soft); }
table.wide th { color: var(--soft); }
table.wide td:first-child { text-align: left; }
.charts td, .charts th { border: 0; }
.u-legend { font-size: 12px; text-align: left; color: var(--soft); }
.u-legend .u-value { color: var(--text); }
@media (max-width: 560px) { .charts { grid-template-columns: 1fr; } }
`
