#!/usr/bin/env python3
"""Random scenarios by two judges: a plain Python reading of vLLM's rules (`rules.py`, beside vLLM's cases), and
vllm_cases. By hand, not in CI:

    tests/vllm_cases/against_rules.py build/dev/tests/vllm_cases/vllm_cases RULES_DIR [COUNT [SEED]]

Prefix trees, sessions, stop tokens, tiny pools, preemption storms and ties, of every release. The scenarios that differ
stay in a folder, which is named.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

VARIANTS = {"0.15.1": ["plain-free-order"], "0.19.1": ["plain-free-order"], "0.24.0": [], "0.33.0": ["threshold-not-alone"]}


def engine_of(dice, release):
    block = dice.choice([1, 2, 3, 4, 4, 8])
    caching = dice.random() < 0.85
    return {
        "async": dice.random() < 0.6, "prefix_caching": caching, "block_size": block, "groups": [0],
        "max_num_seqs": dice.choice([1, 2, 3, 4, 8, 16]), "max_num_batched_tokens": dice.choice([4, 7, 8, 16, 32, 64]),
        "max_model_len": 96, "long_prefill_token_threshold": dice.choice([0, 0, 0, 3, 5, 9]),
        "reserve_full_isl": release != "0.15.1" and dice.random() < 0.8,
        # Without caching the rules of `paged` count the watermark without vLLM's null block (S8.5).
        "watermark": dice.choice([0.0, 0.0, 0.1, 0.3]) if caching and release not in ("0.15.1", "0.19.1") else 0.0}


def requests_of(dice, hash_tokens):
    out, at = [], 0
    longest = dice.choice([12, 24, 48])
    for i in range(dice.randint(1, 24)):
        at += dice.choice([0, 0, 1, 500, 1000, 1000, 2000, dice.randint(0, 6000), 50_000 if i % 7 == 6 else 0])
        r = {"at": at, "prompt": dice.randint(1, longest), "output": dice.choice([1, 2, 3, dice.randint(1, 20)])}
        if dice.random() < 0.25:
            r["session"] = dice.randint(0, 2)
        else:
            r["hashes"] = []
            while len(r["hashes"]) < r["prompt"] // hash_tokens and dice.random() < 0.8:
                r["hashes"].append(dice.choice([1, 1, 1, 2, 3]))
            if dice.random() < 0.3:
                r["stop_at"] = dice.randint(1, r["output"])
        out.append(r)
    return out


def scenario_of(seed):
    dice = random.Random(seed)
    release = dice.choice(["0.24.0"] * 5 + ["0.15.1", "0.19.1", "0.33.0"])
    engine, hash_tokens = engine_of(dice, release), dice.choice([1, 2, 3, 4, 8])
    requests = requests_of(dice, hash_tokens)
    # Blocks for the largest request: with fewer vLLM never runs it. A few more: preemptions; many more: none.
    largest = max(-(-(r["prompt"] + r["output"]) // engine["block_size"]) for r in requests)
    engine["pool_blocks"] = largest + dice.choice([0, 1, 2, largest // 2, largest, 4 * largest])
    price = {"base": 1000, "per_prefill_token": dice.choice([0, 0, 7]), "per_decode_seq": dice.choice([0, 50]),
             "per_kv_token": dice.choice([0, 2])}
    return release, {"engine": engine, "price": price, "hash_block_size": hash_tokens, "requests": requests}


def main(program, rules_dir, count=1000, first=1):
    sys.path.insert(0, rules_dir)
    import rules
    folder = pathlib.Path(tempfile.mkdtemp(prefix="against_rules."))
    steps = preemptions = hits = 0
    for seed in range(int(first), int(first) + int(count)):
        release, scenario = scenario_of(seed)
        made = rules.run(scenario, VARIANTS[release])
        served = [[r["first"], r["finish"], r["preemptions"], r["hits"]] for r in made["requests"]]
        steps += len(made["steps"])
        preemptions += sum(r[2] for r in served)
        hits += sum(sum(r[3]) for r in served)
        expect = {"steps": made["steps"], "requests": served}
        (folder / f"{seed}.json").write_text(json.dumps({"name": str(seed), "release": release, **scenario,
                                                         "expect": expect}))
    out = subprocess.run([program, str(folder)], capture_output=True, text=True)
    print(out.stdout[-6000:] + out.stderr, end="")
    print(f"seeds from {first}: {steps} steps, {preemptions} preemptions, {hits} tokens hit")
    failed = {line.split()[1].rstrip(":") for line in out.stdout.splitlines() if line.startswith("FAILED ")}
    for path in folder.iterdir():
        if path.name not in failed and out.returncode in (0, 1):
            path.unlink()
    if out.returncode == 0:
        folder.rmdir()
    else:
        print(f"those that differ: {folder}")
    return out.returncode


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
