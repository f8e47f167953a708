# A step's operators and prices: tensor parallel, experts with overlap, and as Graphviz.
stowage model show llama-3-70b --graph --tensor 4
stowage model show deepseek-v3 --graph --data 16 --expert 16 --decode 128
stowage model show mixtral-8x7b --graph --tensor 2 --pipeline 2 --prefill 2048
stowage model show qwen3-30b-a3b --graph dot --tensor 2
