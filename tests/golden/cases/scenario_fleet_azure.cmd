# The router that looks keeps the tail short; the one that does not shows what that is worth.
stowage run scenarios/fleet-azure.yaml
stowage run scenarios/fleet-azure.yaml --set cluster.router=random
