// Draws the page's charts one after the other, again when the width or the colour scheme changes, and for paper.
const stowageData = JSON.parse(document.getElementById("chart-data").textContent);
(() => {
  "use strict";
  let charts = [];

  function drawOne(element) {
    const chart = echarts.init(element, null, {renderer: "svg"}), data = stowageData.figures[+element.dataset.figure];
    chart.again = () => stowageCharts[data.kind](element, data);
    chart.setOption(chart.again());
    if (data.kind === "stack") chart.group = "stack";
    charts.push(chart);
  }
  // One chart at a time, so that the page answers while the rest appear; all at once for paper.
  let pending = [], timer = 0;
  function next() {
    const element = pending.shift();
    if (element) drawOne(element);
    if (pending.length) timer = setTimeout(next);
    else document.documentElement.dataset.charts = "drawn";
  }
  function finish() {
    clearTimeout(timer);
    while (pending.length) next();
    clearTimeout(timer);
  }
  function draw() {
    clearTimeout(timer);
    for (const chart of charts) chart.dispose();
    charts = [];
    pending = [...document.querySelectorAll(".chart")];
    echarts.connect("stack");
    next();
  }

  function copyButtons() {
    for (const button of document.querySelectorAll("button[data-copy]")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        const text = document.getElementById(button.dataset.copy).textContent;
        try {
          await navigator.clipboard.writeText(text);
        } catch {
          const area = Object.assign(document.createElement("textarea"), {value: text});
          document.body.append(area);
          area.select();
          document.execCommand("copy");
          area.remove();
        }
        const before = button.textContent;
        button.textContent = "Copied";
        setTimeout(() => { button.textContent = before; }, 1500);
      });
    }
  }

  copyButtons();
  if (typeof echarts === "undefined") {
    for (const table of document.querySelectorAll(".figure details")) table.open = true;
    document.documentElement.dataset.charts = "none";
    return;
  }
  draw();
  let width = innerWidth;
  new ResizeObserver(() => {
    if (innerWidth === width) return;
    width = innerWidth;
    for (const chart of charts) {
      chart.resize();
      chart.setOption(chart.again(), {replaceMerge: ["series"]});
    }
  }).observe(document.body);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  // On paper: at once, in the style sheet's print colours, as wide as the sheet.
  function drawForPaper() {
    draw();
    finish();
    for (const chart of charts) chart.resize({width: Math.min(660, chart.getWidth())});
  }
  addEventListener("beforeprint", drawForPaper);
  addEventListener("afterprint", draw);
  matchMedia("print").addEventListener("change", e => e.matches ? drawForPaper() : draw());
})();
