#!/usr/bin/env python3
"""tables.py KIND STOWAGE PROFILE FOLDER...: Markdown rows of docs/accuracy.md and docs/answer.md.

KIND: offline (iterations by regime), online (latencies), answer (what each manager gives). PROFILE: a file, or - for the
one that ships. FOLDERs are what gpu_probe replay wrote. (predicted / measured - 1) is in per cent."""
import json
import subprocess
import sys
from pathlib import Path


def validated(stowage, profile, folder):
    command = [stowage, "validate", folder, "--format", "json"] + (["--profile", profile] if profile != "-" else [])
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def percent(x):
    return f"{100 * x:+.1f}"


def change(pair, which, other="predicted"):
    return percent(pair[other][which] / pair["measured"][which] - 1)


def offline(name, m):
    def regime(kind, rows="regimes"):
        e = m.get(rows, {}).get(kind)
        return f"{100 * e['mape']:.1f} / {percent(e['bias'])} ({e['count']:,})" if e else "–"

    def again(kind):
        e = m.get("anchored_regimes", {}).get(kind)
        return f"{100 * e['mape']:.1f} / {percent(e['bias'])}" if e else "–"

    floor = m.get("repeat_floor")
    floor = f"{100 * floor['mape']:.1f} %, {percent(floor['makespan'])} %" if floor else "one pass"
    inside = m["iterations"].get("coverage_90")
    return [name, m["name"], regime("decode"), regime("prefill"), regime("mixed"),
            percent(m["numbers"]["makespan_s"]["error"]) + " %", f"{100 * inside:.0f} %" if inside else "–", floor,
            " · ".join(again(k) for k in ("decode", "prefill", "mixed")), "equal" if m["counters_equal"] else "DIFFER"]


def online(name, m):
    row = [name.removeprefix("online-"), m["name"]]
    for kind in ("ttft_s", "tpot_s", "e2e_s"):
        row.append(f"{change(m['latencies'][kind], 'mean')}, {change(m['latencies'][kind], 'p95')}")
    row.append(", ".join(percent(m["numbers"][f"tbt_s.{q}"]["error"]) for q in ("mean", "p95")))
    paired = [f"{100 * m['latencies'][k]['paired']['mape']:.1f}" for k in ("ttft_s", "tpot_s", "e2e_s")]
    floor = m.get("latency_floor", {})
    floors = [f"{100 * floor[k]['paired']['mape']:.1f}" if k in floor else "–" for k in ("ttft_s", "tpot_s", "e2e_s")]
    inside = m["iterations"].get("coverage_90")
    return row + [" · ".join(paired), " · ".join(floors), percent(m["numbers"]["makespan_s"]["error"]) + " %",
                  f"{100 * inside:.0f} %" if inside else "–"]


def answer(name, m):
    def cell(measured, predicted, digits):
        if measured == 0:
            return "0" if predicted == 0 else f"0 ({predicted:.{digits}f})"
        return f"{measured:.{digits}f} ({percent(predicted / measured - 1)})"

    def number(key, digits):
        n = m["numbers"].get(key, {"measured": 0, "predicted": 0})
        return cell(n["measured"], n["predicted"], digits)

    def p95(key, digits, scale):
        return cell(m["latencies"][key]["measured"]["p95"] * scale, m["latencies"][key]["predicted"]["p95"] * scale, digits)

    lost = [100 * sum(m["numbers"].get(f"kv.mean_fraction.{part}", {side: 0})[side] for part in
                      ("reserved", "internal", "external")) for side in ("measured", "predicted")]
    return [m["name"], number("throughput.requests_per_s", 2), number("batch.mean", 1), p95("ttft_s", 2, 1),
            p95("tpot_s", 1, 1e3), cell(*lost, 1), number("vmm.busy_s", 2), number("vmm.stall_s", 2)]


def main():
    kind, stowage, profile, folders = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    row = {"offline": offline, "online": online, "answer": answer}[kind]
    for folder in folders:
        for m in validated(stowage, profile, folder)["managers"]:
            print("| " + " | ".join(row(Path(folder).name, m)) + " |")


main()
