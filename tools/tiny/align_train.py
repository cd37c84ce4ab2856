"""Train the aligner on the corpus, beginning with the recogniser's weights; arguments and control files as train.py has them.

usage: align_train.py BASE DATA RUN MINUTES WARM_START

BASE is the recogniser's folder, or an aligner's. WARM_START is either folder, or a checkpoint of an earlier run.
"""
import torch
from torch.nn import functional as F

import train
from align_items import AlignBatches, aligner_config
from network import TOKENS_PER_CHUNK, Aligner, time_codes

WORD_HEAD, STAMP_HEAD = (1, 0), (3, 0)       # decoder layer and head that look for the word, and for its start or end
CLOCK_LAYER = 2                              # after this layer every audio row should know its own time
FRAME_WEIGHT, CLOCK_WEIGHT, WORD_WEIGHT, STAMP_WEIGHT = 0.3, 0.3, 0.2, 0.3


def build(config) -> Aligner:
    """The network of a recogniser's or an aligner's config.json."""
    if "classify_num" not in config["thinker_config"]:
        config = aligner_config(config, lambda token: None)
    return Aligner(config)


def class_loss(logits, times):
    """Cross-entropy with the two classes next to a time, each by its nearness: so the likeliest class is the nearest."""
    times = times.clamp(0, logits.shape[1] - 1)
    low = times.floor().long().clamp(max=logits.shape[1] - 2)
    share = times - low
    log = logits.float().log_softmax(-1)
    low_log, high_log = log.gather(1, low[:, None])[:, 0], log.gather(1, low[:, None] + 1)[:, 0]
    return -((1 - share) * low_log + share * high_log).mean()


def attention_loss(weights, guided, item, row, low, high):
    """How little of a head's attention falls on [low, high)."""
    mass = F.pad(weights[guided[0]][item, guided[1], row].cumsum(-1), (1, 0))
    index = torch.arange(len(row))
    return -(mass[index, high] - mass[index, low]).clamp(min=1e-5).log().mean()


class AlignerRun(train.Run):
    NAMES = ("stamp", "clock", "frame", "word head", "stamp head")
    WEIGHTS = (1.0, CLOCK_WEIGHT, FRAME_WEIGHT, WORD_WEIGHT, STAMP_WEIGHT)
    ENCODER_RATE = 0.3

    def __init__(self, network, folder, warm_start):
        self.clock_head = torch.nn.Linear(*reversed(network.thinker.lm_head.weight.shape), bias=False)
        with torch.no_grad():
            self.clock_head.weight.copy_(time_codes(*self.clock_head.weight.shape))
        super().__init__(network, folder, warm_start)

    def heads(self):
        return {"frame_head": self.frame_head, "clock_head": self.clock_head}

    def begin_from(self, weights):
        own = self.network.state_dict()
        if weights["thinker.lm_head.weight"].shape != own["thinker.lm_head.weight"].shape:
            # A recogniser: its head is another, and the layer it lacks begins as one that changes nothing.
            del weights["thinker.lm_head.weight"]
            lacking = {name: weight for name, weight in own.items() if name not in weights}
            weights |= {name: torch.zeros_like(w) if "o_proj" in name or "down_proj" in name else w for name, w in lacking.items()}
        self.network.load_state_dict(weights)

    def losses(self, batch, window):
        network = self.network
        with torch.autocast("cpu", torch.bfloat16):
            audio, hidden, counts = network.thinker.audio_tower(batch["mel"], batch["frames"], window)
            rows, weights, _ = zip(*network.thinker.model.layer_by_layer(network.embed(batch["ids"], audio, counts)))
            item, row, low, high = batch["stamps"].T
            logits = network.logits(network.thinker.model.norm(rows[-1][item, row]))
            is_audio = batch["ids"] == network.config["audio_token_id"]
            clock_logits = self.clock_head(network.thinker.model.norm(rows[CLOCK_LAYER][is_audio]))
            known = batch["frame_labels"] >= 0
            frame_logits = self.frame_head(hidden[known])
        index = (is_audio.cumsum(1) - 1)[is_audio]
        clock = index // TOKENS_PER_CHUNK * 12.5 + index % TOKENS_PER_CHUNK          # in classes of 80 ms
        return (class_loss(logits, batch["times"]), class_loss(clock_logits, clock),
                F.cross_entropy(frame_logits.float(), batch["frame_labels"][known]),
                attention_loss(weights, WORD_HEAD, *batch["spans"].T), attention_loss(weights, STAMP_HEAD, item, row, low, high))


if __name__ == "__main__":
    train.main(build, AlignerRun, AlignBatches)
