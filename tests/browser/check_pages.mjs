// check_pages.mjs CHROMIUM FOLDER: looks at every page of FOLDER, narrow to wide, light and dark. Leaves pictures.
import {existsSync, readdirSync, readFileSync, writeFileSync} from "node:fs";
import {join, resolve} from "node:path";
import {pathToFileURL} from "node:url";
import {Browser} from "./chromium.mjs";
import {drawn, empty, faint, hoverAll, overlaps} from "./page_checks.mjs";

const [binary, folder] = process.argv.slice(2);
const views = [{width: 400, dark: true}, {width: 1280, dark: false}, {width: 1600, dark: true}, {width: 400, dark: false}];
const load_limit_s = Number(process.env.STOWAGE_LOAD_LIMIT_S ?? 1.5);  // for slow or busy machines
const bare_pages = ["nothing", "plan-infeasible", "compare-bare"];  // have nothing to draw
const hovered = {busy: 6, kit: 3, plan: 3, "sweep-two": 3, compare: 5, fleet: 5};  // kinds of charts, at least
let failures = 0;
function expect(condition, what) {
  if (condition) return;
  ++failures;
  console.log("FAIL " + what);
}

async function look(page, name, view, where) {
  const without = await page.evaluate(`document.documentElement.classList.contains("no-charts")`);
  const drawn_here = await page.evaluate(`document.documentElement.dataset.charts === "svg"`);  // by calibrate and validate
  const charts = await page.evaluate(`document.querySelectorAll(".chart, figure svg").length`);
  expect(charts > 0 || bare_pages.includes(name), `${where}: the page has no chart`);
  if (!without) {
    const blank = await page.evaluate(empty);
    expect(blank.length === 0, `${where}: nothing drawn in ${blank.join(", ")}`);
  }
  const over = await page.evaluate(overlaps);
  expect(over.length === 0, `${where}: ${over.join("; ")}`);
  const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
  expect(wide <= 0, `${where}: ${wide} px too wide`);
  const weak = await page.evaluate(faint);
  expect(weak.length === 0, `${where}: contrast too low: ${weak.join("; ")}`);
  expect(await page.evaluate("document.title") !== "broken", `${where}: a name ran as a script`);
  const bare = await page.evaluate(`[...document.querySelectorAll(".figure")].filter(f => !f.querySelector(".say")?.textContent.trim()).length`);
  expect(bare === 0, `${where}: ${bare} figures without a sentence`);
  if (drawn_here) return;
  const carried = await page.evaluate(`document.getElementById("summary.json").textContent`);
  expect(!existsSync(join(folder, name + ".json")) || carried === readFileSync(join(folder, name + ".json"), "utf8").replaceAll("<", "\\u003c"), `${where}: summary.json differs`);
  if (!without && view.width === 1280) {
    const {wrong, seen} = await hoverAll(page);
    for (const w of wrong) expect(false, `${where}: ${w}`);
    expect(seen.length >= (hovered[name] ?? 0), `${where}: hovered only ${seen}`);
    if (name === "kit") expect(seen.includes("heat") && seen.includes("tornado"), `${where}: hovered only ${seen}`);
  }
}

// From the navigation to the last chart drawn, the best of a few: others may have the machine.
async function loads(path, name) {
  let best = Infinity;
  for (let i = 0; i < 5 && best > load_limit_s; ++i) {
    const page = await browser.open(pathToFileURL(path).href, views[1]);
    best = Math.min(best, await page.evaluate(drawn) / 1000);
    await page.close();
  }
  console.log(`${name}: loaded and drawn in ${best.toFixed(2)} s`);
  expect(best <= load_limit_s, `${name}: ${best.toFixed(2)} s to load and draw; ${load_limit_s} s allowed`);
}

const browser = await Browser.start(binary);
try {
  for (const file of readdirSync(folder).filter(f => f.endsWith(".html")).sort()) {
    const name = file.slice(0, -5), path = resolve(folder, file);
    expect(readFileSync(path).length <= 2 * 1024 * 1024, `${name}: the page is larger than 2 MiB`);
    // The first page in every view, the others where things break first.
    for (const view of name in hovered ? views : views.slice(0, 2)) {
      const where = `${name} at ${view.width} px${view.dark ? ", dark" : ""}`;
      const page = await browser.open(pathToFileURL(path).href, view);
      await page.evaluate(drawn);
      await look(page, name, view, where);
      if (name in hovered || view.width === 1280) {
        writeFileSync(join(folder, `${name}-${view.width}${view.dark ? "-dark" : ""}.png`), await page.picture());
      }
      expect(page.faults.length === 0, `${where}: ${page.faults.join("; ")}`);
      await page.close();
    }
    if (name === "million") await loads(path, name);
    console.log(`looked at ${name}`);
  }
} finally {
  await browser.stop();
}
console.log(failures === 0 ? "all pages are right" : `${failures} failures; pictures in ${folder}`);
process.exit(failures === 0 ? 0 : 1);
