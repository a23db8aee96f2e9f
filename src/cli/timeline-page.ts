/**
 * A page that shows a timeline in a browser, without anything from elsewhere: `trace --format html`. The events stand in it as those of
 * a Chrome trace. Wheel: zoom; drag: move; hover: what it is; double click: all of it.
 */

const STYLE = `
  body { margin: 0; font: 13px sans-serif; background: #fff; color: #222; }
  header { padding: 6px 10px; border-bottom: 1px solid #ccc; }
  #tip { position: fixed; display: none; max-width: 45em; padding: 4px 8px; background: #222; color: #fff; white-space: pre-wrap; pointer-events: none; }
  canvas { display: block; }
`;

/** The page's own program. It uses the names of Trace Event Format: ph, ts, dur, pid, tid. */
const PROGRAM = `
  const ROW = 20, LEFT = 170, TOP = 24;
  const events = JSON.parse(document.getElementById('trace').textContent).traceEvents;
  const names = new Map(), tracks = new Map();
  for (const e of events) if (e.ph === 'M') names.set(e.name === 'process_name' ? e.pid + '' : e.pid + '.' + e.tid, e.args.name);
  let first = Infinity, last = -Infinity;
  for (const e of events) {
    if (e.ph === 'M') continue;
    const key = e.pid + '.' + e.tid;
    if (!tracks.has(key)) tracks.set(key, { pid: e.pid, tid: e.tid, spans: [], marks: [] });
    const t = tracks.get(key);
    (e.ph === 'X' ? t.spans : t.marks).push(e);
    if (e.ph !== 'X' || e.ts > 0) first = Math.min(first, e.ts);
    last = Math.max(last, e.ts + (e.dur || 0));
  }
  const rows = [...tracks.values()].sort((a, b) => a.pid - b.pid || a.tid - b.tid);
  for (const r of rows) { r.spans.sort((a, b) => a.ts - b.ts); r.marks.sort((a, b) => a.ts - b.ts); }
  if (!(first < last)) { first = 0; last = 1; }
  let from = first, to = last, hits = [];
  const canvas = document.querySelector('canvas'), g = canvas.getContext('2d'), tip = document.getElementById('tip');
  const color = (text, light) => { let h = 0; for (const c of text) h = (h * 31 + c.charCodeAt(0)) % 360; return 'hsl(' + h + ' 55% ' + light + '%)'; };
  const time = (us) => us >= 1e6 ? (us / 1e6).toFixed(3) + ' s' : us >= 1000 ? (us / 1000).toFixed(3) + ' ms' : us.toFixed(2) + ' µs';
  function draw() {
    const ratio = devicePixelRatio || 1, width = innerWidth, height = TOP + rows.length * ROW * 1.6 + 20;
    canvas.width = width * ratio; canvas.height = height * ratio; canvas.style.width = width + 'px'; canvas.style.height = height + 'px';
    g.setTransform(ratio, 0, 0, ratio, 0, 0); g.clearRect(0, 0, width, height); g.font = '11px sans-serif'; hits = [];
    const scale = (width - LEFT) / (to - from), x = (ts) => LEFT + (ts - from) * scale;
    const rough = (to - from) / 8, power = 10 ** Math.floor(Math.log10(rough)), step = power * (rough / power > 5 ? 10 : rough / power > 2 ? 5 : 2);
    for (let ts = first + Math.ceil((from - first) / step) * step; ts <= to; ts += step) {
      g.fillStyle = '#ddd'; g.fillRect(x(ts), 0, 1, height); g.fillStyle = '#666'; g.fillText(time(ts - first), x(ts) + 3, 14);
    }
    rows.forEach((r, n) => {
      const y = TOP + n * ROW * 1.6;
      g.fillStyle = '#222'; g.fillText(((names.get(r.pid + '') || '') + ': ' + (names.get(r.pid + '.' + r.tid) || r.tid)).slice(0, 30), 6, y + 14);
      let drawn = -1;
      for (const e of r.spans) {
        const a = Math.max(LEFT, x(e.ts)), b = Math.min(width, x(e.ts + e.dur));
        if (b < LEFT || a > width || b <= drawn) continue;
        const w = Math.max(1, b - a); drawn = a + w;
        g.fillStyle = color(e.name + (e.cat || ''), 78); g.fillRect(a, y, w, ROW); hits.push([a, y, w, ROW, e]);
        if (w > 30) { g.save(); g.beginPath(); g.rect(a, y, w, ROW); g.clip(); g.fillStyle = '#222'; g.fillText(e.name, a + 3, y + 14); g.restore(); }
      }
      drawn = -1;
      for (const e of r.marks) {
        const a = x(e.ts);
        if (a < LEFT || a > width || a < drawn + 1) continue;
        drawn = a; g.fillStyle = color(e.cat || '', 40); g.fillRect(a, y + ROW, 2, ROW * 0.5); hits.push([a - 2, y + ROW, 6, ROW * 0.5, e]);
      }
    });
    document.getElementById('range').textContent = time(from - first) + ' to ' + time(to - first) + ', ' + events.length + ' events';
  }
  canvas.onwheel = (m) => {
    m.preventDefault();
    const at = from + ((m.clientX - LEFT) / (innerWidth - LEFT)) * (to - from), f = m.deltaY > 0 ? 1.25 : 0.8;
    from = at - (at - from) * f; to = at + (to - at) * f; draw();
  };
  let held;
  canvas.onmousedown = (m) => { held = m.clientX; };
  onmouseup = () => { held = undefined; };
  canvas.ondblclick = () => { from = first; to = last; draw(); };
  canvas.onmousemove = (m) => {
    if (held !== undefined) { const d = ((held - m.clientX) / (innerWidth - LEFT)) * (to - from); from += d; to += d; held = m.clientX; draw(); }
    const box = canvas.getBoundingClientRect(), px = m.clientX - box.left, py = m.clientY - box.top;
    const hit = hits.findLast(([a, b, w, h]) => px >= a && px <= a + w && py >= b && py <= b + h);
    tip.style.display = hit ? 'block' : 'none';
    if (!hit) return;
    const e = hit[4];
    tip.textContent = e.name + '\\n' + (e.cat ? e.cat + ', ' : '') + 'at ' + time(e.ts - first) + (e.dur === undefined ? '' : ', for ' + time(e.dur)) + Object.entries(e.args || {}).map(([k, v]) => '\\n' + k + ' ' + v).join('');
    tip.style.left = Math.min(m.clientX + 12, innerWidth - 320) + 'px'; tip.style.top = m.clientY + 14 + 'px';
  };
  onresize = draw; draw();
`;

/** The page up to the events, which are JSON. */
export const PAGE_BEGIN = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>loongscope trace</title><style>${STYLE}</style></head>
<body><header><b>loongscope trace</b> <span id="range"></span> <small>(wheel: zoom, drag: move, double click: all)</small></header>
<canvas></canvas><div id="tip"></div>
<script type="application/json" id="trace">`;

/** The page behind the events. */
export const PAGE_END = `</script><script>${PROGRAM}</script></body></html>
`;

/** JSON as it may stand in the page: nothing in it ends the script. */
export const inPage = (json: string): string => json.replaceAll('<', '\\u003c');
