# Pages of plans, sweeps and comparisons are made again byte for byte, from report.json alone (a sweep's too).
again() { cp $1/report.html before.html; rm $1/report.html; stowage report $1 && cmp $1/report.html before.html && echo same; }
stowage plan inputs/study.yaml -o p --set search.draws=2 --quiet >/dev/null
ls p; again p
stowage sweep scenarios/four-requests.yaml --vary scheduler.max_batch=2,4 --vary memory.kv_pool=8GiB,256MiB -o s --quiet
ls s; again s
stowage run inputs/four.yaml -o a >/dev/null
stowage run inputs/four.yaml --set 'workload.requests[0].count=5' --set cluster.replicas=2 -o b >/dev/null
again b
stowage compare a b -o c >/dev/null
ls c; again c
stowage compare a b -o c; echo "code $?"
stowage report p a -o both.html; echo "code $?"
sed 's/"decision"/"dezision"/' p/report.json >q.json; mkdir q; mv q.json q/report.json; stowage report q; echo "code $?"
