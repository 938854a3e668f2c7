"""The report's style sheet: no outside assets, phone and desk, light and dark."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fbfaf8; --card: #fff; --ink: #1d1d1f; --soft: #63636b; --line: #e2e0db;
  --bar: #b9cbe8; --mark: #24508f; --good: #1d7a3c; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #17181a; --card: #202225; --ink: #ececee; --soft: #a3a4ab; --line: #35373c;
    --bar: #33496b; --mark: #8fb6f2; --good: #6fcf8e; --bad: #ff8a80;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 70rem; padding: 1rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.5rem; margin: .5rem 0 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0 .75rem; color: var(--soft); }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 7rem; }
thead th { color: var(--soft); font-weight: 500; font-size: .85rem; }
tbody tr { border-top: 1px solid var(--line); }
.interval { color: var(--soft); font-size: .8rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr));
  gap: .75rem; }
figure { margin: 0; padding: .75rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
figcaption { font-size: .85rem; color: var(--soft); }
svg { display: block; width: 100%; max-width: 30rem; height: auto; }
svg text { fill: var(--soft); font-size: 11px; }
.grid { stroke: var(--line); }
.ideal { stroke: var(--soft); stroke-dasharray: 4 4; }
.bar { fill: var(--bar); }
.dot { fill: var(--mark); }
.curve { fill: none; stroke: var(--mark); stroke-width: 2; stroke-linejoin: round; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr));
  gap: .75rem; }
.pictures figure { padding: .5rem; }
.pictures img { display: block; width: 100%; height: 9rem; object-fit: contain;
  background: var(--page); border-radius: 6px; }
.question { color: var(--ink); margin: .4rem 0 .1rem; }
.answer { font-weight: 600; font-size: .95rem; }
.right { color: var(--good); } .wrong { color: var(--bad); } .partly { color: var(--ink); }
"""
