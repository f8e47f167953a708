stowage run scenarios/four-requests.yaml
