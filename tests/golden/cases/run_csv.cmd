stowage run inputs/four.yaml --format csv | cut -d, -f1-14
