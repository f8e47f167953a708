#!/usr/bin/env python3
"""Compares the attention figures of a probe file with PyTorch's own kernels on the same GPU, and prints the ratio.

    gpu_probe attention -o probe.json && python3 gpu_probe/compare_torch.py probe.json

Contiguous points only (PyTorch has no paged kernel). Above 1: ours is faster. Inputs rotate beyond the L2, as in the probe.
"""
import json
import statistics
import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}


def median_us(run, copies, samples=15):
    for i in range(3):
        run(i % copies)
    times = []
    for i in range(samples):
        start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda._sleep(200_000)  # holds the stream until everything is queued
        start.record()
        run(i % copies)
        stop.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(stop) * 1e3)
    return statistics.median(times)


def torch_us(backend, batch, heads, kv_heads, dim, q_len, kv_len, causal):
    copies = max(2, min(16, -(-(1 << 28) // (4 * batch * kv_heads * kv_len * dim))))

    def tensor(h, n):
        return torch.randn(batch, h, n, dim, device="cuda", dtype=torch.bfloat16)

    q = tensor(heads, q_len)
    kv = [(tensor(kv_heads, kv_len), tensor(kv_heads, kv_len)) for _ in range(copies)]
    with sdpa_kernel(BACKENDS[backend]):
        return median_us(lambda i: torch.nn.functional.scaled_dot_product_attention(
            q, *kv[i], is_causal=causal, enable_gqa=heads != kv_heads), copies)


def main(path):
    figures = json.load(open(path))["parts"]["attention"]["figures"]
    print(f"{'point':<52}{'ours us':>10}" + "".join(f"{b + ' us':>12}{'ratio':>7}" for b in BACKENDS))
    for f in figures:
        k = f["keys"]
        decode = f["name"] == "decode" and k["memory"] == "malloc" and not k["ragged"] and not k["interleaved_layers"]
        prefill = f["name"] == "prefill" and k["loader"] == "tensor" and k["stored_tokens"] == 0
        if k.get("layout") != "contiguous" or not (decode or prefill):
            continue
        q_len, kv_len = (1, k["context"]) if decode else (k["new_tokens"], k["new_tokens"])
        if k["batch"] * kv_len > 1 << 19:
            continue
        line = f"{f['name']} {k['batch']} x {kv_len}, {k['heads']}/{k['kv_heads']} heads of {k['head_dim']}"
        line = f"{line:<52}{f['median']:>10.1f}"
        for backend in BACKENDS:
            try:
                us = torch_us(backend, k["batch"], k["heads"], k["kv_heads"], k["head_dim"], q_len, kv_len, not decode)
                line += f"{us:>12.1f}{us / f['median']:>7.2f}"
            except RuntimeError as error:  # the backend does not take this shape
                line += f"{'-':>12}{'-':>7}"
                print(f"# {backend}: {str(error).splitlines()[0]}", file=sys.stderr)
        print(line)


if __name__ == "__main__":
    main(sys.argv[1])
