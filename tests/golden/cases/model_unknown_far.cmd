# Nothing is near: no suggestion, and no stray marks.
stowage model show zzz
stowage hardware show zzz
