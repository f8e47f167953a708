// pictures.mjs CHROMIUM REPORT.html FOLDER: parts of a page as PNG files, by what kind of page it is.
import {writeFileSync} from "node:fs";
import {join, resolve} from "node:path";
import {pathToFileURL} from "node:url";
import {Browser} from "./chromium.mjs";
import {drawn} from "./page_checks.mjs";

const [binary, report, folder] = process.argv.slice(2);
const kinds = {
  "run report": {
    verdict: [".verdict", "#slo"], memory: ["#memory .figure:last-of-type", "#memory .figure:last-of-type"],
    pool: ["#waste .figure", "#waste .figure:nth-of-type(4)"], latency: ["#latency .pair .figure", "#latency .pair .figure:nth-of-type(2)"],
    requests: ["#requests", "#requests .figure .chart"], sensitivity: ["#sensitivity", "#sensitivity .pair"],
  },
  "plan report": {
    "plan-verdict": [".verdict", "#slo"], "plan-managers": ["#managers", "#managers"], "plan-pareto": ["#pareto .pair", "#pareto .pair .figure:nth-of-type(2)"],
    "plan-capacity": ["#capacity", "#capacity .pair"], "plan-certainty": ["#certainty", "#certainty"], "plan-change": ["#sensitivity", "#sensitivity"],
  },
  "sweep report": {"sweep-maps": ["#maps", "#maps .figure:nth-of-type(2)"], "sweep-axis": ["#axis-0", "#axis-0 .figure:nth-of-type(2)"]},
};
const browser = await Browser.start(binary);
const page = await browser.open(pathToFileURL(resolve(report)).href, {width: 960, dark: false});
await page.evaluate(drawn);
const kind = await page.evaluate(`document.querySelector(".brand").lastChild.textContent.trim()`);
for (const [name, [first, last]] of Object.entries(kinds[kind] ?? {})) {
  const band = await page.evaluate(`(() => {
    const a = document.querySelector(${JSON.stringify(first)})?.getBoundingClientRect();
    const b = document.querySelector(${JSON.stringify(last)})?.getBoundingClientRect();
    return a && b && {top: a.top + scrollY - 10, height: b.bottom - a.top + 20};
  })()`);
  if (!band) throw new Error(`the page has no ${name}`);
  const png = await page.picture(band.top, band.height);
  writeFileSync(join(folder, name + ".png"), png);
  console.log(`${name}.png: ${Math.round(png.length / 1024)} KB`);
}
await browser.stop();
