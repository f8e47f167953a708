"""reach.py CASES STOWAGE --models|--logs SHARE: runs check_cases.py and fails when fewer than SHARE of the counted
cases pass, or when a model is answered wrongly: one that cannot be read must be refused."""
import re
import subprocess
import sys

cases, stowage, which, share = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
out = subprocess.run([sys.executable, f"{cases}/check_cases.py", stowage, cases, which, "--quiet"], text=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False).stdout
print(out)
line = next(line for line in out.splitlines() if line.startswith(("models:", "start-up logs:")))
counts = {name: int(count) for count, name in re.findall(r"(\d+) (pass|fail|refused)", line)}
passed, wrong = counts.get("pass", 0), counts.get("fail", 0)
total = passed + wrong + counts.get("refused", 0)
print(f"{passed} of {total} pass ({passed / total:.1%}); {share:.0%} are asked for")
sys.exit(0 if total > 0 and passed >= share * total and (which != "--models" or wrong == 0) else 1)
