# /dev/full takes nothing.
stowage model list >/dev/full
