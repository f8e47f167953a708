// check_pages.mjs CHROMIUM FOLDER: looks at every page of FOLDER, narrow to wide, light and dark. Leaves pictures.
import {readdirSync, readFileSync, writeFileSync} from "node:fs";
import {join, resolve} from "node:path";
import {pathToFileURL} from "node:url";
import {Browser} from "./chromium.mjs";

const [binary, folder] = process.argv.slice(2);
const views = [{width: 400, dark: true}, {width: 1280, dark: false}, {width: 1600, dark: true}];
let failures = 0;
function expect(condition, what) {
  if (condition) return;
  ++failures;
  console.log("FAIL " + what);
}

// Runs in the page: waits until the last chart is drawn.
const drawn = `new Promise((done, fail) => {
  const end = Date.now() + 20000;
  const look = () => document.documentElement.dataset.charts ? done()
    : Date.now() > end ? fail(new Error("charts not drawn")) : setTimeout(look, 20);
  look();
})`;

// Runs in the page: the charts that show no curve.
const empty = `[...document.querySelectorAll(".chart")].filter(chart => {
  const curves = [...chart.querySelectorAll("svg path")].filter(p => {
    const box = p.getBBox();
    return p.getAttribute("d").length > 40 && box.width > 20 && box.height > 0;
  });
  const marks = [...chart.querySelectorAll("svg path, svg rect, svg image")].filter(p => {
    const box = p.getBBox();
    return p.getAttribute("fill") !== "none" && p.getAttribute("fill") !== "transparent" && box.width > 4 && box.height > 4;
  });
  return curves.length === 0 && marks.length < 2;
}).map(chart => chart.dataset.chart + " " + chart.dataset.figure)`;

// Runs in the page: text whose contrast against what lies behind it is below 4.5 (WCAG 2 AA).
const faint = `(() => {
  const rgb = text => (text.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
  const light = c => c.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0.5) return c;
    }
    return [255, 255, 255];
  };
  const out = new Set();
  for (const e of document.querySelectorAll("body *:not(script):not(style):not(svg *)")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.getClientRects().length) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) out.add(e.tagName + "." + e.className + " " + ratio.toFixed(2));
  }
  return [...out];
})()`;

async function hoverShowsTheSeries(page, name) {
  const box = await page.evaluate(`(() => {
    const chart = document.querySelector(".chart.memory");
    if (!chart) return null;
    chart.scrollIntoView({block: "center", behavior: "instant"});
    const b = chart.getBoundingClientRect();
    return {x: b.left + b.width / 2, y: b.top + 100};
  })()`);
  if (!box) return;
  await page.hover(box.x, box.y);
  const shown = await page.evaluate(`document.querySelector(".chart.memory > div:last-child").innerText`);
  expect(/running/.test(shown) && /live/.test(shown) && /[MG]iB/.test(shown), `${name}: the tooltip shows '${shown}'`);
}

const browser = await Browser.start(binary);
try {
  for (const file of readdirSync(folder).filter(f => f.endsWith(".html")).sort()) {
    const name = file.slice(0, -5), path = resolve(folder, file);
    expect(readFileSync(path).length <= 2 * 1024 * 1024, `${name}: the page is larger than 2 MiB`);
    // The first page in every view, the others where things break first.
    for (const view of name === "busy" ? views : views.slice(0, 2)) {
      const where = `${name} at ${view.width} px${view.dark ? ", dark" : ""}`;
      const page = await browser.open(pathToFileURL(path).href, view);
      await page.evaluate(drawn);
      const charts = await page.evaluate(`document.querySelectorAll(".chart").length`);
      const without = await page.evaluate(`document.documentElement.classList.contains("no-charts")`);
      const blank = without ? [] : await page.evaluate(empty);
      expect(blank.length === 0, `${where}: nothing drawn in ${blank.join(", ")}`);
      expect(charts > 0 || name === "nothing", `${where}: the page has no chart`);
      const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(wide <= 0, `${where}: ${wide} px too wide`);
      const weak = await page.evaluate(faint);
      expect(weak.length === 0, `${where}: contrast too low: ${weak.join("; ")}`);
      const title = await page.evaluate("document.title");
      expect(title !== "broken", `${where}: a name ran as a script`);
      const carried = await page.evaluate(`document.getElementById("summary.json").textContent`);
      expect(carried === readFileSync(join(folder, name + ".json"), "utf8").replaceAll("<", "\\u003c"),
             `${where}: summary.json differs`);
      if (!without && view.width === 1280) await hoverShowsTheSeries(page, where);
      if (name === "busy" || view.width === 1280) {
        writeFileSync(join(folder, `${name}-${view.width}${view.dark ? "-dark" : ""}.png`), await page.picture());
      }
      expect(page.faults.length === 0, `${where}: ${page.faults.join("; ")}`);
      await page.close();
    }
    console.log(`looked at ${name}`);
  }
} finally {
  await browser.stop();
}
console.log(failures === 0 ? "all pages are right" : `${failures} failures; pictures in ${folder}`);
process.exit(failures === 0 ? 0 : 1);
