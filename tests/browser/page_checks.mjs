// What is looked at in a page: expressions that run in it, and hovers.

// Waits until the last chart is drawn; how long that took since the navigation began, in ms.
export const drawn = `new Promise((done, fail) => {
  const end = Date.now() + 60000;
  const look = () => document.documentElement.dataset.charts ? done(performance.now())
    : Date.now() > end ? fail(new Error("charts not drawn")) : setTimeout(look, 10);
  look();
})`;

// The charts that show neither a curve nor two marks.
export const empty = `[...document.querySelectorAll(".chart")].filter(chart => {
  const seen = (e, w, h) => { const box = e.getBoundingClientRect(); return box.width > w && box.height >= h; };
  const curves = [...chart.querySelectorAll("svg path")].filter(p => p.getAttribute("d").length > 40 && seen(p, 20, 0));
  const marks = [...chart.querySelectorAll("svg path, svg rect, svg image")].filter(p => {
    const fill = p.getAttribute("fill");
    return fill !== "none" && fill !== "transparent" && seen(p, 0.5, 3);
  });
  return curves.length === 0 && marks.length < 2;
}).map(chart => chart.dataset.chart + " " + chart.dataset.figure)`;

// Text whose contrast against what lies behind it is below 4.5 (WCAG 2 AA); of charts, against the box they stand in.
export const faint = `(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgb = text => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const d = canvas.getImageData(0, 0, 1, 1).data;
    return [d[0], d[1], d[2], d[3] / 255];
  };
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c[3] > 0.5) return c;
    }
    return [255, 255, 255];
  };
  const out = new Set();
  const check = (e, ink) => {
    const [a, b] = [light(rgb(ink)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) out.add(e.tagName + "." + (e.className.baseVal ?? e.className) + " " + ratio.toFixed(2) + " " + e.textContent.slice(0, 20));
  };
  for (const e of document.querySelectorAll("body *:not(script):not(style):not(svg *)")) {
    if ([...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.getClientRects().length) check(e, getComputedStyle(e).color);
  }
  for (const e of document.querySelectorAll(".chart svg text")) if (e.textContent.trim()) check(e, e.getAttribute("fill") ?? getComputedStyle(e).fill);
  return [...out];
})()`;

// Texts of one chart that lie over each other, panels that do, and text that leaves its panel.
export const overlaps = `(() => {
  const out = [];
  const cross = (a, b, slack) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack;
  for (const chart of document.querySelectorAll(".chart")) {
    const texts = [...chart.querySelectorAll("svg text")].filter(t => t.textContent.trim());
    const boxes = texts.map(t => t.getBoundingClientRect()), frame = chart.getBoundingClientRect();
    for (let i = 0; i < texts.length; ++i) {
      if (boxes[i].left < frame.left - 2 || boxes[i].right > frame.right + 2) out.push("leaves its chart: " + texts[i].textContent);
      for (let k = i + 1; k < texts.length; ++k) {
        if (cross(boxes[i], boxes[k], 3)) out.push(chart.dataset.chart + ": '" + texts[i].textContent + "' over '" + texts[k].textContent + "'");
      }
    }
  }
  const panels = [...document.querySelectorAll(".panel, .framed, .legend, .verdict")].map(e => [e, e.getBoundingClientRect()]);
  for (let i = 0; i < panels.length; ++i) {
    for (let k = i + 1; k < panels.length; ++k) {
      if (panels[i][0].contains(panels[k][0])) continue;
      if (cross(panels[i][1], panels[k][1], 1)) out.push("panels overlap: " + panels[k][0].textContent.slice(0, 30));
    }
  }
  return [...new Set(out)].slice(0, 8);
})()`;

const factor = {B: 1, KiB: 1024, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600, "%": 0.01};
// "12.3 GiB" as a number.
export function read(text) {
  const [, digits, unit] = /^\s*(-?[\d.,]+)\s*(\S+)?/.exec(text) ?? [];
  return digits === undefined ? NaN : Number(digits.replaceAll(",", "")) * (factor[unit] ?? 1);
}
// Three significant digits were shown.
const same = (shown, value) => Math.abs(shown - value) <= Math.max(Math.abs(value) * 0.0051, 1e-12);

// Where to point at in a chart of that kind; null when there is nothing.
const target = kind => `(() => {
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim().toLowerCase();
  const chart = ${kind === "cdf" ? `[...document.querySelectorAll(".chart.plot")].find(c => stowageData.figures[+c.dataset.figure].y.unit === "share")`
    : kind === "cloud" ? `[...document.querySelectorAll(".chart.plot")].find(c => stowageData.figures[+c.dataset.figure].lines.some(l => !l.line))`
    : `document.querySelector(".chart.${kind}")`};
  if (!chart) return null;
  chart.scrollIntoView({block: "center", behavior: "instant"});
  const fills = {cloud: ["--m0", "--m1", "--m2", "--m3"], timeline: ["--p-decode", "--p-queue"], tornado: ["--m0", "--m1"]}["${kind}"];
  let box = chart.getBoundingClientRect(), x = box.left + box.width * ${kind === "heat" ? 0.85 : 0.55}, y = box.top + Math.min(100, box.height / 3);
  if ("${kind}" === "heat") {  // a field that has a number
    const d = stowageData.figures[+chart.dataset.figure], k = d.values.findLastIndex(v => v !== null), w = d.columns.length, h = d.rows.length;
    x = box.left + 110 + (k % w + 0.5) / w * (box.width - 134);
    y = box.top + 12 + (h - Math.floor(k / w) - 0.5) / h * (box.height - 90);
  }
  if (fills) {
    const wanted = fills.map(css);
    const mark = [...chart.querySelectorAll("svg path, svg rect")].filter(p => wanted.includes((p.getAttribute("fill") ?? "").toLowerCase()))
      .map(p => p.getBoundingClientRect()).filter(b => b.width > 3 && b.height > 3).sort((a, b) => b.width - a.width)[0];
    if (!mark) return null;
    [x, y] = [mark.left + mark.width / 2, mark.top + mark.height / 2];
  }
  return {x, y, figure: +chart.dataset.figure};
})()`;

// Hovers over a chart of each kind there is and compares what is shown with the data the page carries. Returns what was
// wrong, and which kinds were looked at.
export async function hoverAll(page) {
  const wrong = [], seen = [];
  for (const kind of ["stack", "cdf", "cloud", "occupancy", "timeline", "tornado", "heat"]) {
    const at = await page.evaluate(target(kind));
    if (!at) continue;
    await page.hover(at.x, at.y);
    const tip = await page.evaluate(`(() => {
      const head = [...document.querySelectorAll(".chart[data-figure='${at.figure}'] [data-at]")].pop();
      return head && {at: head.dataset.at, rows: [...head.parentElement.querySelectorAll("b")].map(b => [b.previousElementSibling.textContent.trim(), b.textContent])};
    })()`);
    if (!tip) { wrong.push(`${kind}: nothing shown on hover`); continue; }
    const data = await page.evaluate(`stowageData.figures[${at.figure}]`), series = await page.evaluate("stowageData.series");
    const expected = expectation(kind, data, series, tip);
    for (const [name, value] of expected) {
      const row = tip.rows.find(r => r[0] === name);
      if (!row || !same(read(row[1]), value)) wrong.push(`${kind}: ${name} shows ${row?.[1]}, the data says ${value}`);
    }
    if (expected.length === 0) wrong.push(`${kind}: nothing to compare`);
    seen.push(kind);
  }
  return {wrong, seen};
}

// What the tooltip has to say, computed here from the data: [name, value].
function expectation(kind, d, series, tip) {
  if (kind === "stack") {
    const k = +tip.at;
    return [...d.bands, ...d.below].map(b => [b.name, b.values[k]]);
  }
  if (kind === "cdf") {
    return d.lines.filter(l => l.x.length).map(l => [series[l.s].name, l.y[l.x.findLastIndex(x => x <= +tip.at * (1 + 1e-9))] ?? 0]);
  }
  const [i, k] = tip.at.split("/").map(Number);
  if (kind === "cloud") return [[d.x.name, d.lines[i].x[k]], [d.y.name, d.lines[i].y[k]]];
  if (kind === "timeline") {
    const s = d.lanes[i].spans[k];
    return [["from", s.from], ["to", s.to], ["took", s.to - s.from]];
  }
  if (kind === "tornado") {
    const r = d.rows[i];
    return [[r.low_text, r.low], ["unchanged", d.base], [r.high_text, r.high]].filter(([, v]) => v !== null);
  }
  if (kind === "heat") return [[d.value, d.values[i * d.columns.length + k]]];
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  let live = 0;
  for (let r = 0; r < d.rows; ++r) live += Math.floor(letters.indexOf(d.cells[2 * (i * d.rows + r)]) / 4) / 15 / d.rows;
  return [["tokens", live]];
}
