#!/usr/bin/env bash
# Figures that the program itself makes or prints, against sums by hand: which of two results is judged, which of many
# lengths is the p95, what a part of a sweep is told, whether the words of a plan carry its figures.
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stowage=$(realpath "$1")
cd "$work" || exit 2
python3 - "$stowage" <<'END'
import csv, io, json, os, re, subprocess, sys

stowage, faults = sys.argv[1], 0


def fault(text):
    global faults
    faults += 1
    print("FAILED:", text)


def equal(what, got, expected, tolerance=1e-9):
    near = isinstance(got, (int, float)) and isinstance(expected, (int, float)) and not isinstance(expected, bool)
    if not (abs(got - expected) <= tolerance * max(abs(got), abs(expected)) if near else got == expected):
        fault(f"{what}: {got}, not {expected}")


def called(*words, path=None):
    env = dict(os.environ, PATH=path + ":" + os.environ["PATH"]) if path else None
    done = subprocess.run([stowage, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env)
    return done.returncode, done.stdout, done.stderr


def text_of(*words, path=None):
    code, out, err = called(*words, path=path)
    if code != 0:
        fault(f"{' '.join(words)}: exit {code}: {err}")
    return out


def json_of(*words):
    return json.loads(text_of(*words, "--format", "json"))


def write(name, text):
    with open(name, "w") as out:
        out.write(text)
    return name


# Steps of `step`: the first token of four requests of three tokens after one step, the end after three.
def scenario(step, managers, rest="slo: {ttft_p99: 15ms}\n"):
    return f"""model: llama-3-8b
hardware: h100-sxm-80gb
memory: {{kv_tokens: 4096}}
cost: {{source: linear, base: {step}}}
scheduler: {{max_batch: 4, max_batched_tokens: 512, max_model_len: 1024}}
workload: {{requests: [{{prompt: 100, output: 3, count: 4}}]}}
managers: {managers}
{rest}"""


# run: --assert-slo asks it of every manager, wherever it stands. `narrow` reserves 1,024 of the 4,096 tokens a request,
# `paged` what a request holds; with five requests at once the fifth waits for a slot of `narrow` and is late.
for order in ("[{kind: paged}, {kind: reserve, name: narrow}]", "[{kind: reserve, name: narrow}, {kind: paged}]"):
    text = scenario("10ms", order).replace("count: 4", "count: 5").replace("max_batch: 4", "max_batch: 8")
    code, _, err = called("run", write("two.yaml", text), "--assert-slo", "--quiet")
    equal(f"--assert-slo of {order}", (code, err.count("SLO not met"), "narrow" in err), (3, 1, True))
# One that serves nobody beside one that serves all is a result; all that serve nobody are none.
for managers, expected in (("[{kind: vattention}, {kind: paged}]", 0), ("[{kind: vattention}]", 4)):
    # 2,000 tokens of 128 KiB: 250 MiB, in which vattention maps 64 pages of 2 MiB once. They hold 1,024 tokens a
    # request, and this one is to store 1,000 + 30 - 1.
    text = scenario("10ms", managers, "").replace("4096", "2000").replace("1024", "2000").replace(
        "prompt: 100, output: 3, count: 4", "prompt: 1000, output: 30")
    code = called("run", write("none.yaml", text), "--quiet")[0]
    equal(f"{managers} of which vattention is too small", code, expected)

# compare: B is judged against A, and by the manager's name although the two list them in another order. At 20 ms all
# takes twice as long, and 20 ms miss the 15 ms of the objective.
write("a.yaml", scenario("10ms", "[{kind: paged, name: p}, {kind: reserve, name: r}]"))
write("b.yaml", scenario("20ms", "[{kind: reserve, name: r}, {kind: paged, name: p}]"))
for name in "ab":
    text_of("run", f"{name}.yaml", "-o", name, "--quiet")
both = json_of("compare", "a", "b")
for run in both["runs"]:
    equal("which runs are compared", run["a"], run["b"])
    rows = {row["metric"]: row for row in run["table"]}
    for metric, a, b in (("makespan_s", 0.03, 0.06), ("ttft_s/p99", 0.01, 0.02),
                         ("throughput/requests_per_s", 4 / 0.03, 4 / 0.06)):
        equal(metric, run["metrics"][metric], [rows[metric]["a"], rows[metric]["b"]])
        equal(metric + " of A", rows[metric]["a"], a)
        equal(metric + " of B", rows[metric]["b"], b)
equal("runs compared", [run["a"] for run in both["runs"]], ["p", "r"])
for row in csv.DictReader(io.StringIO(text_of("compare", "a", "b", "--format", "csv"))):
    if row["metric"] == "slo_met":
        equal("slo_met of A and B", (row["value_a"], row["value_b"]), ("1", "0"))
        continue
    equal("B - A of " + row["metric"], float(row["difference"]), float(row["value_b"]) - float(row["value_a"]))
    if row["metric"] in ("makespan_s", "throughput/requests_per_s"):
        equal("verdict on " + row["metric"], row["verdict"], "worse")
asked = {d["key"]: (d["a"], d["b"]) for d in both["asked"]}
equal("what was asked differently", asked.get("cost/base"), ('"10ms"', '"20ms"'))
equal("SLO of B asserted where B misses it", called("compare", "a", "b", "--assert-slo")[0], 3)
equal("SLO of B asserted where A misses it", called("compare", "b", "a", "--assert-slo")[0], 0)

# fit: 100 requests a second apart, of 10, 20, ... 1,000 tokens with an answer of 8, in no order; and three that are too
# long. The p50 is the 50th of them, the p95 the 95th.
rows = [10 * (1 + (37 * i) % 100) for i in range(100)] + [5000, 6000, 7000]
write("lengths.csv", "arrival_ns,prompt_tokens,output_tokens\n" +
      "".join(f"{10**9 * i},{n},8\n" for i, n in enumerate(rows)))
options = ["fit", "--model", "llama-3-8b", "--hardware", "h100-sxm-80gb", "--trace", "lengths.csv",
           "--max-model-len", "4096"]
one, two = json_of(*options), json_of(*options, "--tensor", "2")
for share, prompt in (("p50", 500), ("p95", 950), ("max", 1000)):
    equal(f"{share} of the lengths", one["lengths"][share], {"prompt": prompt, "output": 8})
equal("what is left out", [n for n in one["notes"] if n.startswith("3 requests are longer")] != [], True)
# 32 layers of 8 heads of 128, K and V, two bytes: 131,072 B a token on all GPUs, however many share it.
for d, gpus in ((one, 1), (two, 2)):
    equal(f"KV of a token on {gpus}", d["kv_bytes_per_token"], 32 * 8 * 128 * 2 * 2)
    equal(f"pool of {gpus}", d["pool_bytes"], d["budget"]["kv_pool"] * gpus)
    equal(f"tokens of {gpus}", d["pool_tokens"], d["pool_bytes"] // d["kv_bytes_per_token"])
# The terms of the memory are those that the scenario gives.
write("half.yaml", scenario("10ms", "[{kind: paged}]", "").replace("kv_tokens: 4096", "utilization: 0.5, device: 60GB, "
      "weights: 10GB, activations: 1GB, overhead: 2GB, graphs: 3GB"))
equal("budget of a scenario", [json_of("fit", "--scenario", "half.yaml")["budget"][k] for k in
      ("device", "usable", "weights", "activations", "overhead", "graphs", "kv_pool")],
      [x * 10**9 for x in (60, 30, 10, 1, 2, 3, 14)])

# trace: rows a second apart, 100 of them. Twice as fast, the first ten, three copies; what is written is what was read.
write("even.csv", "arrival_ns,prompt_tokens,output_tokens\n" + "".join(f"{10**9 * i},{i + 1},8\n" for i in range(100)))
for words, requests, seconds in (([], 100, 99), (["--rate-scale", "2"], 100, 49.5), (["--limit", "10"], 10, 9),
                                 (["--repeat", "3"], 300, 299)):
    info = json_of("trace", "info", "even.csv", *words)
    equal(f"requests {words}", info["requests"], requests)
    equal(f"seconds {words}", info["duration_s"], seconds)
equal("what is converted", text_of("trace", "convert", "even.csv"), open("even.csv").read())

# run --sensitivity: a server of 30 ms a request that is asked for one in 100 ms keeps up with a fifth more and less of
# them. Of 400 requests, the last at 400 / rate: the rate served is that of the arrivals.
write("what-if.yaml", scenario("10ms", "[{kind: paged}]", "").replace("max_batch: 4", "max_batch: 1").replace(
    "{requests: [{prompt: 100, output: 3, count: 4}]}", "{trace: what-if.csv}"))
write("what-if.csv", "arrival_ns,prompt_tokens,output_tokens\n" + "".join(f"{10**8 * i},100,3\n" for i in range(400)))
result = json_of("run", "what-if.yaml", "--sensitivity", "--quiet")["sensitivity"]
rates = {(c["what"], c["change"]): next(iter(c["runs"].values()))["requests_per_s"]
         for c in result["changes"] if c.get("runs") and all(c["runs"].values())}
for change, factor in (("20 % less", 0.8), ("20 % more", 1.2)):
    equal(f"arrivals {change}", rates[("arrival rate", change)], 400 / (399 * 0.1 / factor + 0.03))
for change, tokens in (("20 % shorter", 2), ("20 % longer", 4)):  # of three, by a fifth, rounded
    equal(f"lengths {change}", rates[("prompts and outputs", change)], 400 / (399 * 0.1 + tokens * 0.01))

# sweep: parts that GNU parallel starts are told all that changes a figure. A stand-in starts them.
write("study.yaml", "scenario:\n" + "".join(f"  {line}\n" for line in scenario("10ms", "[{kind: paged}]").replace(
    "{requests: [{prompt: 100, output: 3, count: 4}]}",
    "{synthetic: {rate: 20/s, count: 40, prompt: {uniform: {min: 10, max: 90}}, output: 5}}").splitlines()))
os.mkdir("bin")
write("bin/parallel", """#!/usr/bin/env bash
while [ "$1" != bash ]; do shift; done
command=()
while [ "$1" != ::: ]; do command+=("$1"); shift; done
shift
for input; do "${command[@]}" "$input" || exit 1; done
""")
os.chmod("bin/parallel", 0o755)
given = ["--set", "cost.base=7ms", "--vary", "scheduler.max_batch=1,2,4", "--seed", "11", "--quiet"]
text_of("sweep", "study.yaml", *given, "-o", "here")
text_of("sweep", "study.yaml", *given, "-o", "parts", "--engine", "parallel", "--tasks", "2",
        path=os.path.abspath("bin"))
here = open("here/sweep.csv").read()
equal("a sweep in parts", open("parts/sweep.csv").read(), here)
for option in ("--set", "--vary", "--seed"):  # each of them does change the table
    at = given.index(option)
    text_of("sweep", "study.yaml", *given[:at], *given[at + 2:], "-o", "less" + option)
    if open(f"less{option}/sweep.csv").read() == here:
        fault(f"{option} changes nothing: the test shows nothing")

# plan: its words carry its figures. One server of 40 ms a request.
write("plan.yaml", """scenario:
  model: llama-3-8b
  hardware: h100-sxm-80gb
  memory: {kv_pool: 8GiB}
  workload: {synthetic: {rate: 10/s, count: 1000, prompt: 100, output: 4}}
  scheduler: {max_batch: 1}
  cost: {source: linear, base: 10ms}
  managers: [{kind: paged}]
slo: {e2e_p90: 200ms}
demand: 100/s
knee: 1
probe: {requests: 1000, precision: 2%}
search: {draws: 20}
prices: {h100-sxm-80gb: {usd_per_node_hour: 12, gpus_per_node: 4}}
""")
d, words = json_of("plan", "plan.yaml"), re.sub(r"\s+", " ", text_of("plan", "plan.yaml"))
decision, unsure = d["decision"], d["uncertainty"]


def said(pattern):
    found = re.search(pattern, words)
    if not found:
        fault(f"no '{pattern}' in the words of the plan: {words}")
    return found.groups() if found else [""] * 9


equal("headroom in words", list(said(r"the demand times ([\d.]+), or lengths times ([\d.]+)")),
      [f"{decision['headroom'][k]:.2f}" for k in ("rate", "length")])
if f"{decision['headroom']['rate']:.2f}" == f"{decision['headroom']['length']:.2f}":
    fault("the two headrooms are alike: the test shows nothing")
equal("draws in words", said(r"GPUs suffice in (\d+) % of draws")[0], f"{unsure['suffices'] * 100:.0f}")
equal("wins in words", said(r"no other purchase is better in (\d+) %")[0], f"{unsure['wins'] * 100:.0f}")
sizing = decision["sizing"]
equal("money in words", said(r"\((\d+) nodes, ([\d.]+) USD an hour\)"),
      (str(sizing["nodes"]), f"{sizing['usd_per_hour']:.2f}"))
# The shares of the counts of GPUs: those of the greatest count of the list that is no larger.
for count, share in re.findall(r"(\d+)(?: GPUs?)? in (\d+) %", said(r"enough are (.*?) of 20 draws")[0]):
    least = [b["suffice_in"] for b in unsure["by_replicas"] if b["replicas"] <= int(count)]
    equal(f"draws in which {count} suffice", int(share), round(100 * (least or [0])[-1]))
# What one replica less would do stands under its own head.
fleets = [decision["fleet"], decision["fleet_with_one_less"]]
row = said(r"e2e_p90 200 ms ([\d.]+) ms (ok|MISS) ([\d.]+) (ms|s) (ok|MISS)")
equal("the fleet's own", (float(row[0]), row[1]),
      (float(f"{fleets[0]['targets'][0]['achieved'] * 1e3:.3g}"), "ok" if fleets[0]["met"] else "MISS"))
if fleets[0]["targets"][0]["achieved"] == fleets[1]["targets"][0]["achieved"]:
    fault("one replica less is no slower: the test shows nothing")

sys.exit(1 if faults else 0)
END
