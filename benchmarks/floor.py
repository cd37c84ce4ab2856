"""Decode steps of engine cpu beside what memory allows, turn by turn, so that a ratio is of neighbours in time. Prints JSON.

    python benchmarks/floor.py --folder FOLDER --bits 8 --positions 300,1200
    python benchmarks/floor.py --folder FOLDER --bits 8 --rows 8            # several sequences side by side
    python benchmarks/floor.py --folder FOLDER --bits 8 --products 1,158    # the decoder's matrix products alone

FOLDER is any checkpoint; `tests.checkpoints.build_full` writes a random one of the published size. A floor is what a step reads of the
weights (`step_bytes`) over the bandwidth of reading 512 MB just before and just after.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.cpu.load import load_with
from ossicle.model.cpu.native import Arena, load_library
from ossicle.model.cpu.network import CPUNetwork
from ossicle.options import EngineOptions

PROBE_BYTES = 512 * 2**20
STEPS = 4                       # timed together, between two reads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bits", default="8", choices=["none", "4", "8"])
    parser.add_argument("--positions", default="300", help="held before the steps, several with commas")
    parser.add_argument("--rows", type=int, default=1)
    parser.add_argument("--products", default="", help="rows of the matrix products to time instead of steps")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--rounds", type=int, default=12)
    args = parser.parse_args()
    library = load_library()
    assert library is not None, "the native library is not built"
    bits = None if args.bits == "none" else int(args.bits)
    network = load_with(library, open_checkpoint(args.folder), EngineOptions("cpu", bits=bits, threads=args.threads))
    memory = Arena(PROBE_BYTES).take(PROBE_BYTES)
    memory[:] = 1

    def bandwidth() -> float:
        started = time.perf_counter()
        library.oss_measure_read(memory.ctypes.data, memory.nbytes, network.arithmetic.threads)
        return memory.nbytes / (time.perf_counter() - started)

    report: dict[str, object] = {"weights": network.weights, "arithmetic": network.arithmetic.name, "step_bytes": network.step_bytes}
    if args.products:
        for rows in map(int, args.products.split(",")):
            work, operations = products(network, rows), 2 * rows * num_weights(network)
            found = in_turns(work, bandwidth, network.step_bytes, 1, args.rounds)
            report[f"products of {rows} rows"] = found | {"gops": round(operations / found["ms"]["median"] / 1e6)}
    else:
        for positions in map(int, args.positions.split(",")):
            found = in_turns(steps(network, positions, args.rows, STEPS * args.rounds), bandwidth, network.step_bytes, STEPS, args.rounds)
            report[f"{args.rows} rows at {positions} positions"] = found
    print(json.dumps(report, indent=2))


Spread = dict[str, float]


def in_turns(work: Callable[[], None], bandwidth: Callable[[], float], num_bytes: int, times: int, rounds: int) -> dict[str, Spread]:
    """Milliseconds of one piece of work, GB/s beside it, and its ratio to the floor."""
    work()
    milliseconds, speeds, ratios = [], [], []
    for _ in range(rounds):
        before, started = bandwidth(), time.perf_counter()
        for _ in range(times):
            work()
        seconds = (time.perf_counter() - started) / times
        speed = (before + bandwidth()) / 2
        milliseconds.append(1000 * seconds)
        speeds.append(speed / 1e9)
        ratios.append(seconds * speed / num_bytes)
    return {name: {"median": round(statistics.median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3)}
            for name, values in (("ms", milliseconds), ("read_bandwidth_gbs", speeds), ("ratio", ratios))}


def steps(network: CPUNetwork, positions: int, rows: int, num_steps: int) -> Callable[[], None]:
    """A step of so many sequences behind a cache that holds so many positions."""
    cache = network.new_cache((0,) * rows, positions + num_steps + 8)
    while cache.length < positions:
        network.forward(network.embed(np.full((rows, min(200, positions - cache.length)), 100)), cache, None)
    held = [network.forward(network.embed(np.full((rows, 1), 100)), cache)]

    def step() -> None:
        ids, _ = network.greedy(held[0].logits)
        held[0] = network.forward(network.embed(ids[:, None]), cache)

    return step


def products(network: CPUNetwork, rows: int) -> Callable[[], None]:
    """Every product of the decoder's layers once, and the head's for a row."""
    linears = [part for layer in network.model.layers for part in (layer.qkv_proj, layer.o_proj, layer.gate_up_proj, layer.down_proj)]
    linears += [network.lm_head] if rows == 1 else []
    inputs = {linear.inputs: np.random.default_rng(0).standard_normal((rows, linear.inputs), np.float32) for linear in linears}
    outputs = {linear.outputs: np.empty((rows, linear.outputs), np.float32) for linear in linears}

    def run() -> None:
        for linear in linears:
            linear(inputs[linear.inputs], outputs[linear.outputs])

    return run


def num_weights(network: CPUNetwork) -> int:
    layers = [part for layer in network.model.layers for linear in layer.parts if hasattr(linear, "parts") for part in linear.parts]
    return sum(part.shape[0] * part.shape[1] for part in layers)


if __name__ == "__main__":
    main()
