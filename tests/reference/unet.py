"""Reference of the U-Net: small networks in PyTorch, their weights and their answers.

Writes tests/fixtures/unet/NAME.safetensors, as `safetensors.torch.save_file` writes a state
dictionary, and NAME.csv with the input and the three probabilities of each pixel. Run with

    pip install torch==2.9.0 safetensors==0.8.0 numpy
    python tests/reference/unet.py

The numbers of the committed fixtures come from torch 2.9.0 on one CPU thread in double precision.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

FOLDER = Path(__file__).parent.parent / "fixtures" / "unet"
EXPECTED_VERSION = "2.9.0"


class Block(nn.Module):
    """Two 3x3 convolutions, each with batch normalization (or a bias) and ReLU."""

    def __init__(self, inputs, outputs, normalized):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=not normalized)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=not normalized)
        if normalized:
            self.norm1 = nn.BatchNorm2d(outputs)
            self.norm2 = nn.BatchNorm2d(outputs)
        self.normalized = normalized

    def forward(self, x):
        x = self.conv1(x)
        x = torch.relu(self.norm1(x) if self.normalized else x)
        x = self.conv2(x)
        return torch.relu(self.norm2(x) if self.normalized else x)


class Step(Block):
    """Up-sampling, the encoder's map put before it, and a block."""

    def __init__(self, below, here, normalized, transposed):
        super().__init__(2 * here, here, normalized)
        self.up = nn.ConvTranspose2d(below, here, 2, stride=2) if transposed else nn.Conv2d(below, here, 1)
        self.transposed = transposed

    def forward(self, skip, x):
        if not self.transposed:
            x = nn.functional.interpolate(x, scale_factor=2, mode="nearest")
        return super().forward(torch.cat([skip, self.up(x)], dim=1))


class UNet(nn.Module):
    """The network, with cellgate's names."""

    def __init__(self, in_channels, base_width, depth, normalized, transposed):
        super().__init__()
        widths = [base_width << level for level in range(depth + 1)]
        self.encoder = nn.ModuleList(
            Block(inputs, outputs, normalized)
            for inputs, outputs in zip([in_channels] + widths, widths)
        )
        self.decoder = nn.ModuleList(
            Step(widths[level + 1], widths[level], normalized, transposed) for level in range(depth)
        )
        self.head = nn.Conv2d(base_width, 3, 1)

    def forward(self, x):
        skips = []
        for block in self.encoder:
            if skips:
                x = nn.functional.max_pool2d(x, 2)
            x = block(x)
            skips.append(x)
        skips.pop()
        for step, skip in zip(reversed(self.decoder), reversed(skips)):
            x = step(skip, x)
        return torch.sigmoid(self.head(x))


def write(name, normalized, transposed, prefix, dtype):
    torch.manual_seed(7)
    model = UNet(2, 8, 1, normalized, transposed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.1, 0.6)
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight)
    # Small logits, so that no probability is 0 or 1.
    nn.init.normal_(model.head.weight, 0, 0.05 if normalized else 0.5)
    state = {key: value.to(dtype) if value.is_floating_point() else value
             for key, value in model.state_dict().items()}
    save_file({prefix + key: value for key, value in state.items()}, FOLDER / f"{name}.safetensors")
    # The answer is that of the weights as written, in double precision.
    model.load_state_dict(state)
    model = model.double().eval()
    values = torch.randint(-500, 2000, (1, 2, 10, 14)).double() / 1000
    with torch.no_grad():
        answer = model(values)
    lines = ["input_0,input_1,nucleus,boundary,distance"]
    for inputs, outputs in zip(values[0].flatten(1).T.tolist(), answer[0].flatten(1).T.tolist()):
        lines.append(",".join([f"{v:.3f}" for v in inputs] + [f"{v:.9f}" for v in outputs]))
    (FOLDER / f"{name}.csv").write_text("\n".join(lines) + "\n")


def main():
    version = torch.__version__.split("+")[0]
    if version != EXPECTED_VERSION:
        raise SystemExit(f"torch {EXPECTED_VERSION} is needed, this is {version}")
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    write("batch-transposed", True, True, "module.", torch.float32)
    write("plain-nearest", False, False, "", torch.float16)


if __name__ == "__main__":
    main()
