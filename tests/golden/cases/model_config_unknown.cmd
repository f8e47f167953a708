# An architecture that is not known: what is missing, and how to state it.
mkdir odd && echo '{"model_type": "nobody", "hidden_size": 64, "mamba_d_state": 16, "vocab_size": 100}' > odd/config.json
stowage model show odd/config.json
echo '{"model_type": "falcon", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4,
       "intermediate_size": 256, "vocab_size": 1000, "max_position_embeddings": 128}' > odd/config.json
printf 'huggingface: config.json\nfamily: llama\nname: falcon-like\nmlp: plain\n' > odd/falcon.yaml
stowage model show odd/falcon.yaml
echo '{"architectures": ["Nothing"]}' > odd/config.json
stowage model show odd/config.json
