"""Train the recogniser on the corpus: BASE (tokenizer and config), DATA (shards), RUN (checkpoints and control files).

usage: train.py BASE DATA RUN MINUTES [WARM_START]

WARM_START is a checkpoint of an earlier run, or a model folder (then the head for frame labels begins anew).

The schedule follows the wall clock: full learning rate, then from HOLD of the time a cosine to zero. Files in RUN steer a
running job: `minutes` (a new length), `hold` (a new share), `stop` (save and leave). A checkpoint brings weights, optimisers
and average, but begins the schedule anew; a negative `hold` begins it within the cosine.
"""
import json
import math
import os
import sys
import time

import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from items import Batches
from muon import Muon
from network import Recogniser

GUIDED = (1, 0)                              # decoder layer and head that learn where each word is
WARM_UP = 50                                 # steps
HOLD = 0.3                                   # share of the time at the full learning rate
MUON_RATE, ADAM_RATE, LOWEST = 0.01, 1.2e-3, 0.01
AVERAGE_DECAY, AVERAGE_FROM = 0.998, 0.3     # the weights delivered are a moving average
WINDOWS = [2, 4, 8, 8, 8, 8, 8, 1000, 1000]  # encoder windows in seconds: the published rule is 8, some runtimes have none
FRAME_WEIGHT, GUIDE_WEIGHT = 0.5, 0.2


def losses(network, frame_head, batch, window):
    """Reply, frame labels, guided head."""
    with torch.autocast("cpu", torch.bfloat16):
        audio, hidden, counts = network.thinker.audio_tower(batch["mel"], batch["frames"], window)
        rows, weights, _ = network.thinker.model(network.embed(batch["ids"], audio, counts))
        wanted = batch["labels"] >= 0
        logits = network.logits(rows[wanted]).float()
        known = batch["frame_labels"] >= 0
        frame_logits = frame_head(hidden[known]).float()
    weight = batch["weights"][wanted]
    reply = (F.cross_entropy(logits, batch["labels"][wanted], reduction="none") * weight).sum() / weight.sum()
    frame = F.cross_entropy(frame_logits, batch["frame_labels"][known])
    row, position, low, high = batch["spans"].T
    mass = F.pad(weights[GUIDED[0]][row, GUIDED[1], position].cumsum(-1), (1, 0))
    index = torch.arange(len(row))
    guide = -(mass[index, high] - mass[index, low]).clamp(min=1e-5).log().mean()
    return reply, frame, guide


class Run:
    """One training run: network, head for frame labels, optimisers, average, checkpoint."""

    NAMES, WEIGHTS = ("reply", "frame", "guide"), (1.0, FRAME_WEIGHT, GUIDE_WEIGHT)
    ENCODER_RATE = 1.0                       # of the rate of the decoder's hidden matrices

    def __init__(self, network, folder, warm_start):
        self.network, self.folder = network, folder
        thinker = network.config
        self.frame_head = torch.nn.Linear(thinker["audio_config"]["d_model"], thinker["text_config"]["vocab_size"] + 1)
        state = {}
        if warm_start and os.path.isdir(warm_start):
            weights = load_file(warm_start + "/model.safetensors")
            self.begin_from({name: weight.float() for name, weight in weights.items()})
        elif warm_start:
            state = torch.load(warm_start)
            self.network.load_state_dict(state["net"])
            for name, head in self.heads().items():
                head.load_state_dict(state[name])
        self.parameters = [p for module in (self.network, *self.heads().values()) for p in module.parameters()]
        hidden = {name: p for name, p in self.network.named_parameters() if p.dim() > 1 and _is_hidden(name)}
        rest = [p for p in self.parameters if not any(p is h for h in hidden.values())]
        self.muon = Muon([{"params": [p for name, p in hidden.items() if ("audio_tower" in name) == encoder], "share": share}
                          for encoder, share in ((True, self.ENCODER_RATE), (False, 1.0))])
        self.adam = torch.optim.AdamW([{"params": [p for p in rest if p.dim() > 1], "weight_decay": 0.03},
                                       {"params": [p for p in rest if p.dim() < 2], "weight_decay": 0.0}],
                                      lr=ADAM_RATE, betas=(0.9, 0.98), fused=True)
        if "muon" in state:
            self.muon.load_state_dict(state["muon"])
            self.adam.load_state_dict(state["adam"])
        self.average = None
        if "average" in state:
            self.average = [state["average"][name] for name in self.network.state_dict()]

    def heads(self):
        """What is trained along and dropped afterwards, by its name in a checkpoint."""
        return {"frame_head": self.frame_head}

    def begin_from(self, weights):
        """Take the weights of a model folder."""
        self.network.load_state_dict({name: weight for name, weight in weights.items() if name != "thinker.lm_head.weight"})

    def losses(self, batch, window):
        """One value for each of NAMES."""
        return losses(self.network, self.frame_head, batch, window)

    def step(self, batch, rate, averaging):
        window = WINDOWS[int(torch.randint(len(WINDOWS), ()))]
        values = self.losses(batch, window)
        loss = sum(weight * value for weight, value in zip(self.WEIGHTS, values))
        for group in self.adam.param_groups:
            group["lr"] = ADAM_RATE * rate
        for group in self.muon.param_groups:
            group["lr"] = MUON_RATE * rate * group["share"]
        self.adam.zero_grad()
        self.muon.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        if torch.isfinite(norm):
            self.adam.step()
            self.muon.step()
        if averaging or self.average is not None:
            current = list(self.network.state_dict().values())
            if self.average is None:
                self.average = [v.clone() for v in current]
            torch._foreach_lerp_(self.average, current, 1 - AVERAGE_DECAY)
        return *(value.item() for value in values), float(norm)

    def save(self):
        state = {"net": self.network.state_dict(), "muon": self.muon.state_dict(), "adam": self.adam.state_dict()}
        state |= {name: head.state_dict() for name, head in self.heads().items()}
        if self.average is not None:
            state["average"] = dict(zip(state["net"], self.average))
        torch.save(state, self.folder + "/last.partial")
        os.replace(self.folder + "/last.partial", self.folder + "/last.pt")


def _is_hidden(name):
    return not any(part in name for part in ("embed", "conv2d1", "lm_head"))


def main(network=Recogniser, run=Run, batches=Batches):
    base, data, folder, minutes = *sys.argv[1:4], float(sys.argv[4])
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    with open(base + "/config.json") as file:
        run = run(network(json.load(file)), folder, sys.argv[5] if len(sys.argv) > 5 else None)
    loader = iter(torch.utils.data.DataLoader(batches(base, data + "/train_*.npy"), batch_size=None, num_workers=1, prefetch_factor=12))
    started, saved, step, hold, audio, waited = time.time(), time.time(), 0, HOLD, 0.0, 0.0
    sums = [0.0] * (len(run.NAMES) + 1)
    while True:
        progress = (time.time() - started) / 60 / minutes
        if progress >= 1:
            break
        decay = max(0.0, progress - hold) / (1 - hold)
        rate = min(1, (step + 1) / WARM_UP) * (LOWEST + (1 - LOWEST) * 0.5 * (1 + math.cos(math.pi * decay)))
        asked = time.time()
        batch = next(loader)
        waited += time.time() - asked
        values = run.step(batch, rate, progress > AVERAGE_FROM)
        sums, step, audio = [a + b for a, b in zip(sums, values)], step + 1, audio + float(batch["frames"].sum()) / 360000
        if step % 50 == 0:
            elapsed = time.time() - started
            means = ", ".join(f"{name} {total / 50:.4f}" for name, total in zip((*run.NAMES, "norm"), sums))
            print(f"{elapsed / 60:.1f} min, step {step}, {elapsed / step:.2f} s/step, rate {rate:.3f}, {means}, audio {audio:.1f} h, "
                  f"cpu {time.process_time() / 60:.1f} min, waited {waited / 60:.2f} min", flush=True)
            sums = [0.0] * len(sums)
            minutes, hold = _control(folder, "minutes", minutes), _control(folder, "hold", hold)
        if time.time() - saved > 240 or os.path.exists(folder + "/stop"):
            run.save()
            saved = time.time()
            if os.path.exists(folder + "/stop"):
                break
    run.save()
    print("done", flush=True)


def _control(folder, name, value):
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return value
    with open(path) as file:
        return float(file.read())


if __name__ == "__main__":
    main()
