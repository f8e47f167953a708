// Draws the charts from the data the page carries. Every number in words or tables is already in the page: this adds
// the curves, nothing else. Names come from the user and reach the page as text only.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const parts = ["live", "reserved", "internal", "external", "cached", "free"];  // bottom to top
  const symbols = ["circle", "triangle", "diamond", "rect", "roundRect", "arrow", "pin"];
  const dashes = ["solid", [7, 4], [2, 3], [10, 3, 2, 3]];
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const escape = text => echarts.format.encodeHTML(text);
  const three = new Intl.NumberFormat("en-US", {maximumSignificantDigits: 3});
  const num = x => three.format(x);
  let charts = [];

  // "310 ms": the same units as the page's tables.
  function time(s) {
    if (s === 0) return "0 s";
    const a = Math.abs(s);
    if (a >= 7200) return num(s / 3600) + " h";
    if (a >= 600) return num(s / 60) + " min";
    if (a >= 0.9995) return num(s) + " s";
    if (a >= 0.9995e-3) return num(s * 1e3) + " ms";
    return a >= 0.9995e-6 ? num(s * 1e6) + " us" : num(s * 1e9) + " ns";
  }
  const bytes = mib => mib >= 1024 ? num(mib / 1024) + " GiB" : num(mib) + " MiB";
  const percent = f => num(f * 100) + " %";
  const colour = i => css("--m" + i % 7);
  const dash = i => dashes[i % dashes.length];

  function look() {
    return {ink: css("--ink"), soft: css("--soft"), rule: css("--rule"), box: css("--box"),
            font: getComputedStyle(document.body).fontFamily};
  }
  function base(l) {
    return {
      animation: false, backgroundColor: "transparent", textStyle: {fontFamily: l.font, color: l.soft, fontSize: 12},
      tooltip: {trigger: "axis", confine: true, backgroundColor: l.box, borderColor: l.rule, padding: [8, 12],
                textStyle: {color: l.ink, fontSize: 13}, axisPointer: {type: "line", lineStyle: {color: l.soft}}},
    };
  }
  const axis = l => ({
    axisLine: {lineStyle: {color: l.rule}}, axisTick: {lineStyle: {color: l.rule}},
    axisLabel: {color: l.soft, hideOverlap: true}, splitLine: {lineStyle: {color: l.rule}}, nameTextStyle: {color: l.soft},
  });
  const row = (mark, name, value) =>
      `<div style="display:flex;gap:18px;justify-content:space-between"><span>${mark}${escape(name)}</span><b>${value}</b></div>`;

  // Six parts stacked to the pool, and below, on the same clock, who runs and who waits. Values are means of a bin and
  // hold from its start to its end, hence steps.
  function memory(element, i) {
    const m = data.memory[i], l = look(), option = base(l), narrow = element.clientWidth < 520;
    const unit = data.end_s >= 7200 ? {s: 3600, name: "h"} : data.end_s >= 600 ? {s: 60, name: "min"}
      : data.end_s >= 1 ? {s: 1, name: "s"} : {s: 1e-3, name: "ms"};
    const hold = values => m.start.map((t, k) => [t, values[k]]).concat([[m.end, values[values.length - 1]]]);
    const x = (index, labels) => ({
      ...axis(l), type: "value", gridIndex: index, min: 0, max: data.end_s, splitLine: {show: false},
      interval: niceStep(data.end_s / unit.s, narrow ? 4 : 8) * unit.s, axisTick: {show: labels, lineStyle: {color: l.rule}},
      axisLabel: {color: l.soft, show: labels, hideOverlap: true, showMaxLabel: false, formatter: t => `${num(t / unit.s)} ${unit.name}`},
    });
    const y = (index, name, max, side, format) => ({
      ...axis(l), type: "value", gridIndex: index, min: 0, max, name, nameLocation: "middle", nameGap: narrow ? 40 : 48,
      nameRotate: side === "left" ? 90 : -90, position: side, interval: index === 0 ? niceStep(max, 4) : max / 2,
      splitLine: {show: side === "left", lineStyle: {color: l.rule}},
      axisLabel: {color: l.soft, formatter: format, hideOverlap: true},
    });
    const left = narrow ? 56 : 66, right = narrow ? 52 : 62;
    const gib = m.pool_mib >= 2048;
    option.grid = [{left, right, top: 12, height: 214}, {left, right, top: 252, height: 78}];
    option.axisPointer = {link: [{xAxisIndex: "all"}]};
    option.xAxis = [x(0, false), x(1, true)];
    option.xAxis[1].name = "time since the first arrival";
    option.xAxis[1].nameLocation = "middle";
    option.xAxis[1].nameGap = 26;
    option.yAxis = [
      y(0, gib ? "GiB" : "MiB", m.pool_mib, "left", v => gib ? num(v / 1024) : num(v)),
      y(1, "running", niceEnd(data.running_max), "left", num), y(1, "waiting", niceEnd(data.waiting_max), "right", num),
    ];
    if (gib) option.yAxis[0].interval = niceStep(m.pool_mib / 1024, 4) * 1024;
    option.dataZoom = [{type: "inside", xAxisIndex: [0, 1], zoomOnMouseWheel: "ctrl", moveOnMouseMove: "ctrl",
                        preventDefaultMouseMove: false, filterMode: "none"}];
    option.series = parts.map(part => ({
      name: part, type: "line", stack: "pool", step: "end", symbol: "none", xAxisIndex: 0, yAxisIndex: 0,
      lineStyle: {width: 0}, areaStyle: {opacity: 1, color: css("--" + part)}, itemStyle: {color: css("--" + part)},
      emphasis: {disabled: true}, data: hold(m[part]),
    }));
    option.series.push(
      {name: "running", type: "line", step: "end", symbol: "none", xAxisIndex: 1, yAxisIndex: 1, emphasis: {disabled: true},
       lineStyle: {width: 1.6, color: colour(i)}, itemStyle: {color: colour(i)}, data: hold(m.running)},
      {name: "waiting", type: "line", step: "end", symbol: "none", xAxisIndex: 1, yAxisIndex: 2, emphasis: {disabled: true},
       lineStyle: {width: 1.4, color: l.soft, type: [4, 3]}, itemStyle: {color: l.soft}, data: hold(m.waiting)});
    option.tooltip.formatter = points => {
      const k = Math.min(points[0].dataIndex, m.start.length - 1);
      const to = k + 1 < m.start.length ? m.start[k + 1] : m.end;
      const key = c => `<span style="display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px;background:${c}"></span>`;
      const rows = [...parts].reverse().map(p => row(key(css("--" + p)), p,
        `${bytes(m[p][k])} · ${percent(m[p][k] / m.pool_mib)}`));
      return `<div>${time(m.start[k])} to ${time(to)}</div>${rows.join("")}` +
        row(key(colour(i)), "running", num(m.running[k])) + row(key(l.soft), "waiting", num(m.waiting[k]));
    };
    return option;
  }
  // A round step that cuts `range` into about `parts`; a round end just above `max`, whose half is round too.
  function niceStep(range, parts) {
    const raw = range / parts, power = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 2.5, 5, 10].find(s => s * power >= raw * (1 - 1e-9)) * power;
  }
  const niceEnd = max => Math.max(2, Math.ceil(max / 2 / niceStep(max, 20)) * niceStep(max, 20) * 2);

  // Distribution functions over a logarithmic scale of time. The axis is linear in log10(x), so that it can start and
  // end at the data, with ticks at 1, 2 and 5.
  function cdf(element, key) {
    const d = data.cdf[key], l = look(), option = base(l), log = Math.log10;
    const floor = d.floor_s, at = x => log(Math.max(x, floor));
    const low = log(floor), high = Math.max(log(d.max_s), low + 0.02);
    const ticks = [];
    for (let e = Math.floor(low); e <= Math.ceil(high); ++e) {
      const steps = high - low < 0.5 ? [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9] : high - low < 2 ? [1, 2, 5]
        : high - low < 4 && element.clientWidth > 420 ? [1, 3] : [1];
      for (const s of steps) ticks.push(log(s) + e);
    }
    const shown = ticks.filter(t => t >= low - 1e-9 && t <= high + 1e-9);
    option.grid = {left: 52, right: 18, top: d.limits.length ? 26 : 12, bottom: 44};
    option.xAxis = {...axis(l), type: "value", min: low, max: high, axisTick: {customValues: shown, lineStyle: {color: l.rule}},
                    axisLabel: {color: l.soft, customValues: shown, hideOverlap: true, formatter: t => time(10 ** t)},
                    name: d.name, nameLocation: "middle", nameGap: 28};
    option.yAxis = {...axis(l), type: "value", min: 0, max: 1, interval: 0.25,
                    axisLabel: {color: l.soft, formatter: percent}};
    option.series = d.curves.map((c, i) => c && ({
      name: data.names[i], type: "line", step: "end", showSymbol: false, symbol: symbols[i % symbols.length], symbolSize: 9,
      lineStyle: {width: 2.2, color: colour(i), type: dash(i)}, itemStyle: {color: colour(i)}, emphasis: {disabled: true},
      data: [[low, c.x[0] <= floor ? c.f[0] : 0], ...c.x.map((x, k) => [at(x), c.f[k]])],
      markPoint: {symbol: symbols[i % symbols.length], symbolSize: 9, label: {show: false}, itemStyle: {color: colour(i)},
                  data: [[c.p50, .5], [c.p90, .9], [c.p99, .99]].map(([x, f]) => ({coord: [at(x), f]}))},
      markLine: i > 0 ? undefined : {symbol: "none", silent: true, lineStyle: {color: l.ink, type: "dotted", width: 1.4},
                  label: {color: l.ink, fontSize: 11, formatter: p => p.name},
                  data: d.limits.filter(s => s.s >= floor && s.s <= d.max_s).map(s => ({name: s.text, xAxis: log(s.s)}))},
    })).filter(Boolean);
    option.tooltip.formatter = points => {
      const x = 10 ** points[0].axisValue;
      const rows = d.curves.map((c, i) => c && row(mark(i), data.names[i], percent(share(c, x)))).filter(Boolean);
      return `<div>within ${time(x)}</div>${rows.join("")}`;
    };
    return option;
  }
  // The share of values <= x.
  function share(c, x) {
    let f = 0;
    for (let k = 0; k < c.x.length && c.x[k] <= x * (1 + 1e-9); ++k) f = c.f[k];
    return f;
  }
  const mark = i => document.querySelector(`.mark[data-m="${i}"]`).outerHTML + " ";

  function drawOne(element) {
    const chart = echarts.init(element, null, {renderer: "svg"}), {chart: kind, of} = element.dataset;
    chart.again = () => kind === "memory" ? memory(element, +of) : cdf(element, of);
    chart.setOption(chart.again());
    if (kind === "memory") chart.group = "memory";
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
    echarts.connect("memory");
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
    for (const table of document.querySelectorAll(".chart ~ details")) table.open = true;
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
