"""Muon: momentum, made orthogonal by Newton-Schulz, for the hidden matrices; matrices of one shape in one batch."""
import torch

COEFFICIENTS, STEPS = (3.4445, -4.7750, 2.0315), 4        # the quintic of Jordan and others, 2024


class Muon(torch.optim.Optimizer):
    def __init__(self, parameters, learning_rate=0.01, momentum=0.95, weight_decay=0.01):
        super().__init__(parameters, {"lr": learning_rate, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for shape, members in self._updates(group).items():
                directions = _orthogonal(torch.stack([update for _, update, _ in members]))
                for (parameter, _, turned), direction in zip(members, directions):
                    rows, columns = shape[::-1] if turned else shape
                    step = group["lr"] * max(1, rows / columns) ** 0.5
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_((direction.T if turned else direction).reshape(parameter.shape), alpha=-step)

    def _updates(self, group):
        """Nesterov momentum of every parameter as a wide matrix, by shape."""
        by_shape = {}
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            update = parameter.grad.lerp(state["momentum"], group["momentum"]).flatten(1)
            turned = update.shape[0] > update.shape[1]
            update = update.T if turned else update
            by_shape.setdefault(tuple(update.shape), []).append((parameter, update, turned))
        return by_shape


def _orthogonal(x):
    """(count, rows, columns), in bfloat16: the singular values need only come near 1."""
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        y = x @ x.transpose(1, 2)
        x = a * x + (b * y + c * (y @ y)) @ x
    return x.float()
