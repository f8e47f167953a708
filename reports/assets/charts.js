// One function a kind of chart: from the page's data to an option of the chart library. Every number in words or tables
// is already in the page. Names come from users and reach the page as text only.
const stowageCharts = (() => {
  "use strict";
  const symbols = ["circle", "triangle", "diamond", "rect", "roundRect", "arrow", "pin"];
  const dashes = ["solid", [7, 4], [2, 3], [10, 3, 2, 3]];
  const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const escape = text => echarts.format.encodeHTML(text);
  const three = new Intl.NumberFormat("en-US", {maximumSignificantDigits: 3});
  const num = x => three.format(x);

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
  function bytes(b) {
    for (const [size, name] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [1024, "KiB"]]) {
      if (Math.abs(b) >= size * 0.9995) return num(b / size) + " " + name;
    }
    return num(b) + " B";
  }
  const percent = f => num(f * 100) + " %";
  const show = {number: num, s: time, B: bytes, share: percent};

  const list = () => stowageData.series;
  const colour = s => css("--m" + list()[s].colour % 7);
  const shape = s => symbols[list()[s].shape % symbols.length];
  const dash = s => dashes[list()[s].shape % dashes.length];
  const mark = s => (document.querySelector(`#marks .mark[data-m="${s}"]`)?.outerHTML ?? "") + " ";
  const key = c =>
      `<span style="display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px;background:${c}"></span>`;

  function look() {
    return {ink: css("--ink"), soft: css("--soft"), rule: css("--rule"), box: css("--box"), bad: css("--bad"),
            font: getComputedStyle(document.body).fontFamily};
  }
  function base(l, trigger = "axis") {
    return {
      animation: false, backgroundColor: "transparent", textStyle: {fontFamily: l.font, color: l.soft, fontSize: 12},
      tooltip: {trigger, confine: true, backgroundColor: l.box, borderColor: l.rule, padding: [8, 12],
                textStyle: {color: l.ink, fontSize: 13}, axisPointer: {type: "line", lineStyle: {color: l.soft}}},
    };
  }
  const axis = l => ({
    axisLine: {lineStyle: {color: l.rule}}, axisTick: {lineStyle: {color: l.rule}},
    axisLabel: {color: l.soft, hideOverlap: true}, splitLine: {lineStyle: {color: l.rule}}, nameTextStyle: {color: l.soft},
  });
  const row = (sign, name, value) =>
      `<div style="display:flex;gap:18px;justify-content:space-between"><span>${sign}${escape(name)}</span><b>${value}</b></div>`;
  const tip = (head, rows, at = "") => `<div data-at="${at}">${head}</div>${rows.join("")}`;

  // A round step that cuts `range` into about `parts`; a round end just above `max`, whose half is round too.
  function niceStep(range, parts) {
    const raw = range / parts, power = 10 ** Math.floor(Math.log10(raw));
    return ([1, 2, 2.5, 5, 10].find(s => s * power >= raw * (1 - 1e-9)) ?? 10) * power;
  }
  const niceEnd = max => Math.max(2, Math.ceil(max / 2 / niceStep(max, 20)) * niceStep(max, 20) * 2);
  // Steps that are round in the unit shown: minutes, GiB.
  function unitOf(unit, max) {
    if (unit === "s") return max >= 7200 ? 3600 : max >= 600 ? 60 : max >= 1 ? 1 : max >= 1e-3 ? 1e-3 : 1e-6;
    if (unit === "B") return max >= 2 ** 40 ? 2 ** 40 : max >= 2 ** 30 ? 2 ** 30 : max >= 2 ** 20 ? 2 ** 20 : 1;
    return 1;
  }

  // An axis from the data's description. A logarithmic one is linear in log10, so that it can start and end at the data,
  // with ticks at 1, 2 and 5. `to` maps values onto it, `from` back.
  function scale(l, a, size, side) {
    const format = show[a.unit], common = {...axis(l), type: "value", name: a.name, nameLocation: "middle"};
    const labels = {color: l.soft, hideOverlap: true};
    if (!a.log) {
      const unit = unitOf(a.unit, Math.max(Math.abs(a.min), Math.abs(a.max)));
      const step = niceStep((a.max - a.min) / unit, Math.max(2, Math.min(8, size / (side === "x" ? 90 : 44)))) * unit;
      const exact = a.unit === "share";
      const max = exact ? a.max : Math.ceil(a.max / step - 1e-9) * step, min = exact ? a.min : Math.floor(a.min / step + 1e-9) * step;
      return {to: v => v, from: v => v, low: min, high: max,
              option: {...common, min, max, interval: step,
                       axisLabel: {...labels, formatter: v => format(Math.abs(v) < step / 1e6 ? 0 : v)}}};
    }
    const low = Math.log10(a.min), high = Math.max(Math.log10(a.max), low + 0.02), ticks = [];
    for (let e = Math.floor(low); e <= Math.ceil(high); ++e) {
      const steps = high - low < 0.5 ? [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9] : high - low < 2 ? [1, 2, 5]
        : high - low < 4 && size > 420 ? [1, 3] : [1];
      for (const s of steps) ticks.push(Math.log10(s) + e);
    }
    const shown = ticks.filter(t => t >= low - 1e-9 && t <= high + 1e-9);
    return {to: v => Math.max(Math.log10(Math.max(v, 1e-300)), low), from: v => 10 ** v, low, high,
            option: {...common, min: low, max: high, axisTick: {customValues: shown, lineStyle: {color: l.rule}},
                     axisLabel: {...labels, customValues: shown, formatter: t => format(10 ** t)}}};
  }

  // Curves, point clouds, distributions, histograms.
  function plot(element, d) {
    const cloud = d.lines.every(line => line.points || line.dashed) && d.lines.some(line => !line.line);
    const l = look(), option = base(l, cloud ? "item" : "axis"), narrow = element.clientWidth < 520;
    const left = d.y.name ? (narrow ? 68 : 78) : 56, right = narrow ? 16 : 24, top = 26, bottom = 46;
    // Points keep clear of the frame.
    const roomy = a => cloud && a.log ? {...a, min: a.min / (a.max / a.min) ** 0.08, max: a.max * (a.max / a.min) ** 0.08} : a;
    const x = scale(l, roomy(d.x), element.clientWidth - left - right, "x"), y = scale(l, roomy(d.y), element.clientHeight - top - bottom, "y");
    option.grid = {left, right, top, bottom};
    option.xAxis = {...x.option, nameGap: 28, splitLine: {show: cloud, lineStyle: {color: l.rule}}};
    option.yAxis = {...y.option, nameGap: left - 18, nameRotate: 90};
    const named = s => list()[s].name;
    const data = line => line.x.map((v, k) => v === null || line.y[k] === null ? null : [x.to(v), y.to(line.y[k]), k])
      .filter(p => p || !line.step);
    option.series = d.lines.map((line, i) => {
      const front = line.points === false && line.dashed, c = front ? l.soft : colour(line.s);
      const stepped = line.step ? (line.area ? "end" : front ? "end" : "end") : false;
      const points = data(line);
      if (line.step && !line.area && !front && points.length) points.unshift([x.low, points[0][0] <= x.low ? points[0][1] : y.low, 0]);
      return {
        name: named(line.s), type: line.line ? "line" : "scatter", step: stepped, showSymbol: line.points, connectNulls: false,
        symbol: shape(line.s), symbolSize: line.points ? (line.line ? 8 : line.faded ? 10 : 13) : 9, silent: front, z: front ? 1 : 3,
        lineStyle: {width: front ? 1.4 : 2.2, color: c, type: line.dashed ? [5, 4] : line.area ? "solid" : dash(line.s)},
        itemStyle: {color: c, opacity: line.faded ? 0.35 : 1}, emphasis: {disabled: line.line}, areaStyle: line.area ? {color: c, opacity: 0.16} : undefined,
        data: points,
        markPoint: !line.ticks.length ? undefined : {symbol: shape(line.s), symbolSize: 9, label: {show: false}, silent: true,
          itemStyle: {color: c}, data: line.ticks.map(([a, b]) => ({coord: [x.to(a), y.to(b)]}))},
        markLine: i > 0 ? undefined : limits(d, l, x, y), markArea: i > 0 ? undefined : shaded(d, l, x, y),
      };
    });
    d.lines.forEach((line, i) => {
      if (line.low.length === line.x.length && line.high.length === line.x.length) option.series.push(bars(line, x, y, colour(line.s)));
    });
    if (d.points.length) {
      option.series.push({type: "scatter", silent: true, symbol: "circle", symbolSize: 15, z: 5,
        itemStyle: {color: "transparent", borderColor: l.ink, borderWidth: 2},
        label: {show: true, color: l.ink, fontSize: 12, formatter: p => d.points[p.dataIndex].text},
        data: d.points.map(p => ({value: [x.to(p.x), y.to(p.y)], label: beside(x, y, p)}))});
    }
    const drawn = d.lines.length;
    if (cloud) {
      option.tooltip.formatter = p => {
        if (p.seriesIndex >= drawn || p.seriesType !== "scatter") return "";
        const line = d.lines[p.seriesIndex], k = p.data[2];
        const words = (line.tips[k] ?? named(line.s)).split("\n").map(escape).join("<br>");
        return tip(mark(line.s) + words, [row("", d.x.name, show[d.x.unit](line.x[k])), row("", d.y.name, show[d.y.unit](line.y[k]))], `${p.seriesIndex}/${k}`);
      };
    } else {
      option.tooltip.formatter = points => {
        const at = x.from(points[0].axisValue);
        const rows = d.lines.filter(line => line.x.length).map(line => {
          const k = last(line.x, at), value = k < 0 ? (d.y.unit === "share" ? 0 : null) : line.y[k];
          return value === null ? "" : row(mark(line.s), named(line.s), show[d.y.unit](value));
        });
        return tip((d.y.unit === "share" ? "within " : "") + show[d.x.unit](at), rows, at);
      };
    }
    return option;
  }
  // The last index whose value is <= at, -1 for none.
  function last(xs, at) {
    let k = -1;
    while (k + 1 < xs.length && xs[k + 1] !== null && xs[k + 1] <= at * (1 + 1e-9)) ++k;
    return k;
  }
  function limits(d, l, x, y) {
    const seen = d.limits.filter(m => m.x ? x.to(m.at) <= x.high && x.to(m.at) >= x.low : y.to(m.at) <= y.high && y.to(m.at) >= y.low);
    if (!seen.length) return undefined;
    return {symbol: "none", silent: true, lineStyle: {color: l.ink, type: "dotted", width: 1.4},
            label: {color: l.ink, fontSize: 11, formatter: p => p.name},
            data: seen.map(m => m.x ? {name: m.text, xAxis: x.to(m.at), label: {align: side(x, m.at)}}
                                    : {name: m.text, yAxis: y.to(m.at), label: {position: "insideStartTop"}})};
  }
  // A point's label stays inside the frame.
  function beside(x, y, p) {
    const across = (x.to(p.x) - x.low) / (x.high - x.low), up = (y.to(p.y) - y.low) / (y.high - y.low);
    return {position: across > 0.85 ? "left" : across < 0.12 ? "right" : up > 0.85 ? "bottom" : "top"};
  }
  // Two lines at most beside a row; the table has the whole name.
  const short = most => name => name.length > most ? name.slice(0, most - 12) + "…" + name.slice(-11) : name;
  // Labels over a line near the frame stay inside.
  function side(x, at) {
    const share = (x.to(at) - x.low) / (x.high - x.low);
    return share > 0.85 ? "right" : share < 0.15 ? "left" : "center";
  }
  function shaded(d, l, x, y) {
    const bad = d.limits.filter(m => m.bad && (m.x ? x.to(m.at) < x.high : y.to(m.at) < y.high));
    if (!bad.length) return undefined;
    return {silent: true, itemStyle: {color: l.bad, opacity: 0.07},
            data: bad.map(m => m.x ? [{xAxis: x.to(m.at)}, {xAxis: x.high}] : [{yAxis: y.to(m.at)}, {yAxis: y.high}])};
  }
  function bars(line, x, y, c) {
    return {type: "custom", silent: true, z: 2, data: line.x.map((v, k) => [x.to(v), y.to(line.low[k]), y.to(line.high[k])]),
      renderItem: (params, api) => {
        const low = api.coord([api.value(0), api.value(1)]), high = api.coord([api.value(0), api.value(2)]), w = 5;
        const stroke = {stroke: c, lineWidth: 1.5, fill: null};
        return {type: "group", children: [[low, high], [[low[0] - w, low[1]], [low[0] + w, low[1]]], [[high[0] - w, high[1]], [high[0] + w, high[1]]]]
          .map(([a, b]) => ({type: "line", shape: {x1: a[0], y1: a[1], x2: b[0], y2: b[1]}, style: stroke}))};
      }};
  }

  // Bands stacked to the whole, and below, on the same clock, two curves. Values hold from their start to the next.
  function stack(element, d) {
    const l = look(), option = base(l), narrow = element.clientWidth < 520, unit = unitOf("s", d.axis_end);
    const name = {3600: "h", 60: "min", 1: "s", 1e-3: "ms", 1e-6: "us"}[unit], size = unitOf("B", d.whole / 2);
    const hold = values => d.start.map((t, k) => [t, values[k]]).concat([[d.end, values[values.length - 1]]]);
    const left = narrow ? 56 : 66, right = narrow ? 52 : 62;
    const x = (index, labels) => ({
      ...axis(l), type: "value", gridIndex: index, min: 0, max: d.axis_end, splitLine: {show: false},
      interval: niceStep(d.axis_end / unit, narrow ? 4 : 8) * unit, axisTick: {show: labels, lineStyle: {color: l.rule}},
      axisLabel: {color: l.soft, show: labels, hideOverlap: true, showMaxLabel: false, formatter: t => `${num(t / unit)} ${name}`},
    });
    const y = (index, label, max, side, format, interval) => ({
      ...axis(l), type: "value", gridIndex: index, min: 0, max, name: label, nameLocation: "middle", nameGap: narrow ? 40 : 48,
      nameRotate: side === "left" ? 90 : -90, position: side, interval,
      splitLine: {show: side === "left", lineStyle: {color: l.rule}}, axisLabel: {color: l.soft, formatter: format, hideOverlap: true},
    });
    option.grid = [{left, right, top: 12, height: 214}, {left, right, top: 252, height: 78}];
    option.axisPointer = {link: [{xAxisIndex: "all"}]};
    option.xAxis = [x(0, false), {...x(1, true), name: "time since the first arrival", nameLocation: "middle", nameGap: 26}];
    option.yAxis = [y(0, bytes(size).split(" ")[1], d.whole, "left", v => num(v / size), niceStep(d.whole / size, 4) * size)];
    d.below.forEach((b, i) => {
      const end = niceEnd(d.below_max[i] ?? 1);
      option.yAxis.push(y(1, b.name, end, i === 0 ? "left" : "right", num, end / 2));
    });
    option.dataZoom = [{type: "inside", xAxisIndex: [0, 1], zoomOnMouseWheel: "ctrl", moveOnMouseMove: "ctrl",
                        preventDefaultMouseMove: false, filterMode: "none"}];
    option.series = d.bands.map(b => ({
      name: b.name, type: "line", stack: "whole", step: "end", symbol: "none", xAxisIndex: 0, yAxisIndex: 0,
      lineStyle: {width: 0}, areaStyle: {opacity: 1, color: css("--" + b.colour)}, itemStyle: {color: css("--" + b.colour)},
      emphasis: {disabled: true}, data: hold(b.values),
    }));
    d.below.forEach((b, i) => option.series.push({
      name: b.name, type: "line", step: "end", symbol: "none", xAxisIndex: 1, yAxisIndex: i + 1, emphasis: {disabled: true},
      lineStyle: i === 0 ? {width: 1.6, color: colour(d.s)} : {width: 1.4, color: l.soft, type: [4, 3]},
      itemStyle: {color: i === 0 ? colour(d.s) : l.soft}, data: hold(b.values)}));
    option.tooltip.formatter = points => {
      const k = Math.min(points[0].dataIndex, d.start.length - 1), to = k + 1 < d.start.length ? d.start[k + 1] : d.end;
      const rows = [...d.bands].reverse().map(b => row(key(css("--" + b.colour)), b.name,
        `${bytes(b.values[k])} · ${percent(b.values[k] / d.whole)}`));
      d.below.forEach((b, i) => rows.push(row(key(i === 0 ? colour(d.s) : l.soft), b.name, num(b.values[k]))));
      return tip(`${time(d.start[k])} to ${time(to)}`, rows, k);
    };
    return option;
  }

  // The pool piece by piece over time. Each cell is the mixture of the colours of what it holds.
  function occupancy(element, d) {
    const l = look(), option = base(l, "axis"), narrow = element.clientWidth < 520, unit = unitOf("s", d.end);
    const name = {3600: "h", 60: "min", 1: "s", 1e-3: "ms", 1e-6: "us"}[unit];
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const columns = d.at.length;
    const cell = i => {
      const bits = letters.indexOf(d.cells[2 * i]) * 64 + letters.indexOf(d.cells[2 * i + 1]);
      return [bits >> 8, (bits >> 4) & 15, bits & 15];
    };
    const rgb = variable => {
      const c = echarts.color.parse(css(variable));
      return c.slice(0, 3);
    };
    const paint = ["--live", "--internal", "--cached"].map(rgb), free = rgb("--free"), refused = rgb("--external");
    const picture = (width, height) => {
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(width));
      canvas.height = Math.max(1, Math.round(height));
      const context = canvas.getContext("2d");
      for (let c = 0; c < columns; ++c) {
        const from = Math.round(d.at[c] / d.end * canvas.width), to = Math.round((c + 1 < columns ? d.at[c + 1] : d.end) / d.end * canvas.width);
        if (to <= from) continue;
        const rest = d.refused[c] === "1" ? refused : free;
        for (let r = 0; r < d.rows; ++r) {
          const parts = cell(c * d.rows + r), left = Math.max(0, 15 - parts[0] - parts[1] - parts[2]);
          const total = parts[0] + parts[1] + parts[2] + left;
          const mixed = [0, 1, 2].map(k => Math.round((parts.reduce((s, p, j) => s + p * paint[j][k], 0) + left * rest[k]) / total));
          context.fillStyle = `rgb(${mixed})`;
          const low = Math.round(canvas.height * (1 - (r + 1) / d.rows)), high = Math.round(canvas.height * (1 - r / d.rows));
          context.fillRect(from, low, to - from, high - low);
        }
      }
      return canvas;
    };
    option.grid = {left: narrow ? 56 : 66, right: narrow ? 16 : 62, top: 12, bottom: 46};
    option.xAxis = {...axis(l), type: "value", min: 0, max: d.end, splitLine: {show: false}, name: "time since the first arrival",
      nameLocation: "middle", nameGap: 28, interval: niceStep(d.end / unit, narrow ? 4 : 8) * unit,
      axisLabel: {color: l.soft, hideOverlap: true, showMaxLabel: false, formatter: t => `${num(t / unit)} ${name}`}};
    const size = unitOf("B", d.pool / 2);
    option.yAxis = {...axis(l), type: "value", min: 0, max: d.pool, splitLine: {show: false}, name: bytes(size).split(" ")[1],
      nameLocation: "middle", nameGap: narrow ? 40 : 48, nameRotate: 90, interval: niceStep(d.pool / size, 4) * size,
      axisLabel: {color: l.soft, formatter: v => num(v / size)}};
    let made = null;
    option.series = [
      // The library calls this once a datum: the whole picture is one.
      {type: "custom", silent: true, clip: true, data: [[0, 0]], renderItem: (params, api) => {
        const {x, y, width, height} = params.coordSys;
        if (!made || made.width !== Math.round(width)) made = picture(width, height);
        return {type: "image", style: {image: made, x, y, width, height}};
      }},
      {type: "line", data: d.at.map(t => [t, 0]), symbol: "none", lineStyle: {width: 0, opacity: 0}, emphasis: {disabled: true}},
    ];
    option.tooltip.formatter = points => {
      const k = points.find(p => p.seriesType === "line")?.dataIndex ?? 0, sum = [0, 0, 0];
      for (let r = 0; r < d.rows; ++r) cell(k * d.rows + r).forEach((v, j) => { sum[j] += v / 15 / d.rows; });
      const left = Math.max(0, 1 - sum[0] - sum[1] - sum[2]);
      return tip(time(d.at[k]), [
        row(key(css("--live")), "tokens", percent(sum[0])), row(key(css("--internal")), "held, empty", percent(sum[1])),
        row(key(css("--cached")), "cached", percent(sum[2])),
        row(key(css(d.refused[k] === "1" ? "--external" : "--free")), d.refused[k] === "1" ? "refused" : "free", percent(left))], k);
    };
    return option;
  }

  // Numbers by two categories.
  function heat(element, d) {
    const l = look(), option = base(l, "item"), from = css("--b4"), to = css("--live");
    option.grid = {left: 110, right: 24, top: 12, bottom: 78};
    option.xAxis = {...axis(l), type: "category", data: d.columns, name: d.x, nameLocation: "middle", nameGap: 28, splitLine: {show: false}};
    option.yAxis = {...axis(l), type: "category", data: d.rows, name: d.y, nameLocation: "middle", nameGap: 92, nameRotate: 90, splitLine: {show: false}};
    option.visualMap = {min: d.min, max: d.max > d.min ? d.max : d.min + 1, calculable: false, orient: "horizontal", left: "center", bottom: 0,
      itemHeight: 140, itemWidth: 10, inRange: {color: [from, to]}, textStyle: {color: l.soft}, formatter: num, text: [num(d.max), num(d.min)]};
    option.series = [{type: "heatmap", progressive: 0, data: d.values.map((v, i) => v === null ? null : [i % d.columns.length, Math.floor(i / d.columns.length), v]).filter(Boolean),
      itemStyle: {borderColor: l.box, borderWidth: 1}}];
    option.tooltip.formatter = p => tip(`${escape(d.x)} ${escape(d.columns[p.data[0]])}, ${escape(d.y)} ${escape(d.rows[p.data[1]])}`,
      [row("", d.value, num(p.data[2]))], `${p.data[1]}/${p.data[0]}`);
    return option;
  }

  // What one number becomes: a bar to each side of what it is.
  function tornado(element, d) {
    const l = look(), option = base(l, "item"), narrow = element.clientWidth < 520, format = show[d.x.unit];
    const left = narrow ? 112 : 160;
    const x = scale(l, {...d.x, log: false}, element.clientWidth - left - 24, "x");
    option.grid = {left, right: 24, top: 8, bottom: 46};
    option.xAxis = {...x.option, nameGap: 28};
    option.yAxis = {...axis(l), type: "category", inverse: true, data: d.rows.map(r => r.what), splitLine: {show: false}, axisTick: {show: false},
      axisLabel: {color: l.ink, width: left - 14, overflow: "break", interval: 0, lineHeight: 14, formatter: short(30)}};
    const sides = [{k: "low", c: css("--m0")}, {k: "high", c: css("--m1")}];
    option.series = sides.map(({k, c}) => ({
      name: k, type: "custom", data: d.rows.map((r, i) => r[k] === null ? null : [d.base, i, r[k]]).filter(Boolean), encode: {x: [0, 2], y: 1},
      itemStyle: {color: c}, renderItem: (params, api) => {
        const a = api.coord([api.value(0), api.value(1)]), b = api.coord([api.value(2), api.value(1)]);
        const h = 16, off = k === "low" ? -8 : 2;
        return {type: "rect", shape: {x: Math.min(a[0], b[0]), y: a[1] + off - (k === "low" ? 2 : 0), width: Math.max(1.5, Math.abs(a[0] - b[0])), height: h / 2 + 1},
                style: {fill: c}};
      }}));
    option.series[0].markLine = {symbol: "none", silent: true, lineStyle: {color: l.ink, type: "solid", width: 1.2}, label: {show: false}, data: [{xAxis: d.base}]};
    option.series.push({type: "scatter", symbolSize: 1, silent: true, itemStyle: {color: "transparent"}, data: d.rows.map((r, i) => r.note ? [d.base, i] : null).filter(Boolean),
      label: {show: true, position: "right", color: l.soft, formatter: p => d.rows[p.data[1]].note}});
    option.tooltip.formatter = p => {
      const r = d.rows[p.data[1]], side = (r2, k) => r2[k] === null ? "not possible" : format(r2[k]);
      return tip(escape(r.what), [row(key(sides[0].c), r.low_text, side(r, "low")), row("", "unchanged", format(d.base)), row(key(sides[1].c), r.high_text, side(r, "high"))], p.data[1]);
    };
    return option;
  }

  // Where time went: phases one after the other, what was stalled of each at its end.
  function timeline(element, d) {
    const l = look(), option = base(l, "item"), narrow = element.clientWidth < 520, left = narrow ? 130 : 210;
    const x = scale(l, {name: "time since the request's arrival", unit: "s", log: false, min: 0, max: d.end}, element.clientWidth - left - 24, "x");
    option.grid = {left, right: 24, top: 8, bottom: 46};
    option.xAxis = {...x.option, nameGap: 28};
    option.yAxis = {...axis(l), type: "category", inverse: true, data: d.lanes.map(r => r.name), splitLine: {show: false}, axisTick: {show: false},
      axisLabel: {color: l.ink, width: left - 14, overflow: "break", interval: 0, lineHeight: 14, formatter: short(narrow ? 17 : 30)}};
    const spans = d.lanes.flatMap((lane, i) => lane.spans.map((s, k) => [s.from, i, s.to, k]));
    option.series = [{type: "custom", data: spans, encode: {x: [0, 2], y: 1}, clip: true, renderItem: (params, api) => {
      const s = d.lanes[api.value(1)].spans[api.value(3)];
      const a = api.coord([s.from, api.value(1)]), b = api.coord([s.to, api.value(1)]), h = 18, y = a[1] - h / 2;
      const width = Math.max(0.8, b[0] - a[0]), stalled = s.to > s.from ? width * s.stalled / (s.to - s.from) : 0;
      const children = [{type: "rect", shape: {x: a[0], y, width, height: h}, style: {fill: css("--p-" + s.phase)}}];
      if (stalled > 0) children.push({type: "rect", shape: {x: b[0] - stalled, y: y + h - 5, width: stalled, height: 5}, style: {fill: css("--external")}});
      return {type: "group", children};
    }}];
    option.tooltip.formatter = p => {
      const lane = d.lanes[p.data[1]], s = lane.spans[p.data[3]];
      const rows = [row("", "from", time(s.from)), row("", "to", time(s.to)), row(key(css("--p-" + s.phase)), "took", time(s.to - s.from))];
      if (s.stalled > 0) rows.push(row(key(css("--external")), "stalled on mapping", time(s.stalled)));
      return tip(`${escape(lane.name)}: ${escape(s.phase)}`, rows, `${p.data[1]}/${p.data[3]}`);
    };
    return option;
  }
  return {plot, stack, occupancy, heat, tornado, timeline};
})();
