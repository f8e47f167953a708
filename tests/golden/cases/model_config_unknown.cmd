# An architecture that is not known: what is missing, and how to state it.
mkdir bloom && echo '{"model_type": "bloom", "hidden_size": 64}' > bloom/config.json
stowage model show bloom/config.json
echo '{"model_type": "falcon", "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4,
       "intermediate_size": 256, "vocab_size": 1000, "max_position_embeddings": 128}' > bloom/config.json
printf 'huggingface: config.json\nfamily: llama\nname: falcon-like\nmlp: plain\n' > bloom/falcon.yaml
stowage model show bloom/falcon.yaml
echo '{"architectures": ["Nothing"]}' > bloom/config.json
stowage model show bloom/config.json
