# A result whose files contradict each other, or lack a figure, is no result.
stowage run scenarios/four-requests.yaml -o a --quiet >/dev/null
cp -r a rows && sed -i 3d rows/requests.csv
cp -r a figure && sed -i 's/"ttft_s"/"ttft_x"/' figure/summary.json
for other in rows figure; do
  stowage compare a $other 2>&1 | head -2
  echo "code ${PIPESTATUS[0]}"
done
