#!/usr/bin/env python3
"""Plants bugs, one at a time, and says which of them the tests catch.

  tests/mutation/mutate.py [NAME...] [--only TESTS] [--tree DIR] [--jobs N] [--list]

Each edit of planted/*.toml is made in a copy of the checkout (build/mutation), the test programs of its folder are
built and run, and the edit is taken back. Golden files are not run: they say that a figure changed, not that it is
wrong. NAME is a pattern (planner/*, */*-first); without one all are planted. Exits 1 when fewer than 95 % are caught
or when an edit no longer applies. README.md says how an edit is written and what those that live mean."""
import argparse
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

here = Path(__file__).resolve().parent
root = here.parent.parent
goal = 0.95
skipped = 77  # of a script that lacks what it needs
slow = 0.3  # seconds from which a test waits until all quicker ones have passed

# The test programs of a folder, and what of them is left out: slow, and about other things than figures.
folders = {
    "base": ["unit_base"],
    "models": ["unit_models", "unit_scenario"],
    "traces": ["unit_traces"],
    "sim": ["unit_sim", "contract", "property", "differential"],
    "scenario": ["unit_scenario"],
    "planner": ["unit_planner"],
    "calibrate": ["unit_calibrate"],
    "reports": ["unit_reports"],
    "cli": ["cli"],
}
left_out = {"unit_scenario": ["Mutations.*"], "unit_traces": ["Mutations.*"]}
targets = {"cli": "stowage"}  # what is built for a program that is no test itself: scripts of tests/cli run it


def edits():
    for path in sorted((here / "planted").glob("*.toml")):
        for edit in tomllib.loads(path.read_text())["edit"]:
            edit["name"] = f"{path.stem}/{edit['name']}"
            edit["tests"] = edit.get("tests", folders[path.stem])
            yield edit


def copy_checkout(tree):
    """Tracked and new files, those that differ only, so that nothing else is built again."""
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=root, check=True, capture_output=True)
    wanted = {name for name in listed.stdout.decode().split("\0") if name and (root / name).is_file()}
    for name in wanted:
        source, target = root / name, tree / name
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    for path in [p for p in tree.rglob("*") if p.is_file()]:
        name = path.relative_to(tree)
        if name.parts[0] != "build" and str(name) not in wanted:
            path.unlink()


def run(command, log, limit=None, **more):
    """True when it ends well, False when not, None when the clock ended it."""
    with open(log, "ab") as out:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                              **more) as process:
            try:
                return process.wait(limit) in (0, skipped)
            except subprocess.TimeoutExpired:
                return None
            finally:
                if process.returncode is None:  # what it started ends too: a compiler would still read a planted bug
                    os.killpg(process.pid, signal.SIGKILL)


def configure(tree, build, log):
    options = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g0 -DNDEBUG",
               "-DSTOWAGE_PROBE=OFF", "-DSTOWAGE_BENCH=OFF", "-DSTOWAGE_WERROR=ON"]
    if shutil.which("ld.lld"):
        options.append("-DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld")
    return run(["cmake", "-S", tree, "-B", build, "-G", "Ninja", *options], log)


def parts_of(program, build):
    """Command lines that together run a program's tests, the quick ones first, with the seconds that each may take: a
    bug that makes a test run for ever is caught by the clock."""
    known = times.get(program, {})
    if program in targets:
        scripts = sorted((build.parent.parent / "tests" / program).glob("*.sh"), key=lambda s: known.get(s.name, 0))
        yield from ([s, build / targets[program]] for s in scripts if only is None or fnmatch.fnmatch(s.stem, only))
        return
    command = [build / "tests" / program, "--gtest_fail_fast", "--gtest_brief=1"]
    late = [name for name, seconds in known.items() if seconds >= slow]
    if only:
        yield command + [f"--gtest_filter={only}"]
        return
    yield command + ["--gtest_filter=-" + ":".join(left_out.get(program, []) + late)]
    if late:
        yield command + ["--gtest_filter=" + ":".join(late)]


def failing_test(build, edit, log):
    """The first test that fails; "" when all pass, None when the tests do not build."""
    if not run(["ninja", "-C", build, f"-j{jobs}", *(targets.get(p, p) for p in edit["tests"])], log):
        return None
    for program in edit["tests"]:
        output = log.with_suffix(f".{program}")
        output.unlink(missing_ok=True)
        for command in parts_of(program, build):
            passed = run(command, output, seconds_max(program), cwd=build)
            if passed:
                continue
            if program in targets:
                return f"{program}: {command[0].stem}"
            failed = re.findall(r"^\[  FAILED  \] (\S+)", output.read_text(errors="replace"), re.M)
            return f"{program}: {failed[0].rstrip(',') if failed else 'by the clock' if passed is None else 'it aborts'}"
    return ""


times = {}  # of a program: the seconds of each of its tests without any planted bug


def seconds_max(program):
    known = times.get(program, {})
    return max(60, 20 * sum(known.values())) if known else 900


def measure(build, programs, log):
    """Fills `times`; the first test that fails."""
    for program in programs:
        for command in parts_of(program, build):
            since, report = time.monotonic(), log.with_suffix(".json")
            more = [] if program in targets else [f"--gtest_output=json:{report}"]
            if not run(command + more, log, 900, cwd=build):
                return f"{program}: {command[0].name}"
            if program in targets:
                times.setdefault(program, {})[command[0].name] = time.monotonic() - since
                continue
            suites = json.loads(report.read_text())["testsuites"]
            times[program] = {f"{t['classname']}.{t['name']}": float(t["time"].rstrip("s"))
                              for suite in suites for t in suite["testsuite"]}
    return ""


def plant(edit, tree, build, log):
    path = tree / edit["file"]
    text = path.read_text() if path.exists() else ""
    if text.count(edit["find"]) != 1:
        return f"the text to replace is there {text.count(edit['find'])} times", "does not apply"
    path.write_text(text.replace(edit["find"], edit["replace"]))
    try:
        failed = failing_test(build, edit, log)
    finally:
        path.write_text(text)
    if failed is None:
        return f"see {log}", "does not build"
    return failed, "caught" if failed else "LIVES"


def main():
    global jobs, only
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that an edit is taken back
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", metavar="NAME")
    options.add_argument("--tree", type=Path, default=root / "build" / "mutation" / "tree", help="where to work")
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options.add_argument("--only", metavar="TESTS", help="a filter of GoogleTest: while a test is being written")
    options.add_argument("--list", action="store_true", help="what is planted, and what it would do to a user")
    given = options.parse_args()
    jobs, only = given.jobs, given.only
    chosen = [e for e in edits() if not given.names or any(fnmatch.fnmatch(e["name"], n) for n in given.names)]
    if given.list:
        for edit in chosen:
            print(f"{edit['name']:44} {edit['means']}")
        return 0

    # Built where a checkout is built, and with the same options: a compiler cache then knows all but the edits.
    tree = given.tree.resolve()
    build, logs = tree / "build" / "fast", tree / "build" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    copy_checkout(tree)
    whole = logs / "whole.log"
    whole.unlink(missing_ok=True)
    programs = sorted({program for edit in chosen for program in edit["tests"]})
    if not configure(tree, build, whole):
        sys.exit(f"cannot configure; see {whole}")
    if not run(["ninja", "-C", build, f"-j{jobs}", *(targets.get(p, p) for p in programs)], whole):
        sys.exit(f"without any planted bug the tests do not build; see {whole}")
    if failed := measure(build, programs, whole):
        sys.exit(f"without any planted bug the tests already fail: {failed}; see {whole}")

    results = {}
    for number, edit in enumerate(chosen, 1):
        log = logs / (edit["name"].replace("/", "-") + ".log")
        log.unlink(missing_ok=True)
        since = time.monotonic()
        by, verdict = plant(edit, tree, build, log)
        results[edit["name"]] = verdict
        print(f"{number:3}/{len(chosen)} {edit['name']:44} {verdict:14} {time.monotonic() - since:4.0f} s  {by}",
              flush=True)

    caught = list(results.values()).count("caught")
    lost = [name for name, verdict in results.items() if verdict.startswith("does not")]
    built = len(results) - len(lost)
    print(f"\n{caught} of {built} caught ({caught / max(1, built):.1%})")
    for name in (name for name, verdict in results.items() if verdict == "LIVES"):
        print(f"lives: {name}: {next(e for e in chosen if e['name'] == name)['means']}")
    for name in lost:
        print(f"{results[name]}: {name}")
    return 0 if built > 0 and caught >= goal * built and not lost else 1


if __name__ == "__main__":
    sys.exit(main())
