# A profile is checked alone, and where a scenario names it.
cat >p.yaml <<'END'
schema: stowage.profile/1
name: h100-sxm-80gb
END
stowage check p.yaml
stowage check inputs/four.yaml --set 'cost={source: profile, profile: p.yaml}'
