"""Peers of the U-Net bench: the same network in ONNX Runtime and PyTorch.

Called by `cargo bench --bench unet` as `unet_peers.py WEIGHTS SIZE THREADS`, where WEIGHTS is a
safetensors file with cellgate's (PyTorch's) names in single precision. Answers each line on standard
input, `onnxruntime`, `torch` or `step`, with one run's wall and CPU milliseconds, and `same` with
the greatest difference between the answers of both.

    pip install torch==2.9.0 onnxruntime==1.32.0 onnx==1.23.2 safetensors==0.8.0 numpy
"""

import sys
import time

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

WEIGHTS, SIZE, THREADS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
EPSILON = 1e-5


def network(tensors):
    """The network as a list of ONNX nodes; normalization is left for the runtime to fold."""
    nodes, count = [], iter(range(10**6))

    def node(kind, inputs, **attributes):
        output = f"t{next(count)}"
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def block(name, x):
        for number in (1, 2):
            conv, norm = f"{name}.conv{number}", f"{name}.norm{number}"
            inputs = [x, f"{conv}.weight"] + [f"{conv}.bias"] * (f"{conv}.bias" in tensors)
            x = node("Conv", inputs, pads=[1, 1, 1, 1], kernel_shape=[3, 3])
            if f"{norm}.weight" in tensors:
                parts = ["weight", "bias", "running_mean", "running_var"]
                inputs = [x] + [f"{norm}.{part}" for part in parts]
                x = node("BatchNormalization", inputs, epsilon=EPSILON)
            x = node("Relu", [x])
        return x

    depth = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("decoder."))
    x, skips = "input", []
    for level in range(depth + 1):
        if level:
            x = node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
        x = block(f"encoder.{level}", x)
        skips.append(x)
    for level in reversed(range(depth)):
        name = f"decoder.{level}"
        inputs = [x, f"{name}.up.weight", f"{name}.up.bias"]
        up = node("ConvTranspose", inputs, kernel_shape=[2, 2], strides=[2, 2])
        x = block(name, node("Concat", [skips[level], up], axis=1))
    x = node("Conv", [x, "head.weight", "head.bias"], kernel_shape=[1, 1])
    nodes.append(helper.make_node("Sigmoid", [x], ["output"]))
    return nodes


def session(tensors):
    """An ONNX Runtime session."""
    channels = tensors["encoder.0.conv1.weight"].shape[1]
    shapes = [("input", [1, channels, SIZE, SIZE]), ("output", [1, 3, SIZE, SIZE])]
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in shapes]
    initializers = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(network(tensors), "unet", values[:1], values[1:], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def forward(tensors, x, training):
    """The network in PyTorch, as functions of its tensors."""
    functional = torch.nn.functional

    def block(name, x):
        for number in (1, 2):
            conv, norm = f"{name}.conv{number}", f"{name}.norm{number}"
            x = functional.conv2d(x, tensors[f"{conv}.weight"], tensors.get(f"{conv}.bias"), padding=1)
            if f"{norm}.weight" in tensors:
                parts = ["running_mean", "running_var", "weight", "bias"]
                parts = [tensors[f"{norm}.{part}"] for part in parts]
                x = functional.batch_norm(x, *parts, training=training, eps=EPSILON)
            x = torch.relu(x)
        return x

    depth = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("decoder."))
    skips = []
    for level in range(depth + 1):
        x = block(f"encoder.{level}", functional.max_pool2d(x, 2) if level else x)
        skips.append(x)
    for level in reversed(range(depth)):
        name = f"decoder.{level}"
        weight, bias = tensors[f"{name}.up.weight"], tensors[f"{name}.up.bias"]
        up = functional.conv_transpose2d(x, weight, bias, stride=2)
        x = block(name, torch.cat([skips[level], up], dim=1))
    return functional.conv2d(x, tensors["head.weight"], tensors["head.bias"])


def main():
    torch.set_num_threads(THREADS)
    arrays = load_file(WEIGHTS)
    tensors = {name: torch.from_numpy(value) for name, value in arrays.items()}
    runtime = session(arrays)
    channels = arrays["encoder.0.conv1.weight"].shape[1]
    random = np.random.default_rng(1)
    image = random.random((1, channels, SIZE, SIZE), dtype=np.float32)

    def onnxruntime_once():
        return runtime.run(None, {"input": image})[0]

    def torch_once():
        with torch.inference_mode():
            return torch.sigmoid(forward(tensors, torch.from_numpy(image), False)).numpy()

    # Four maps of half the edge: as many pixels as the image.
    batch = torch.from_numpy(random.random((4, channels, SIZE // 2, SIZE // 2), dtype=np.float32))
    target = (batch.mean(1, keepdim=True) > 0.5).float().expand(-1, 3, -1, -1)
    found = {name: t.clone() for name, t in tensors.items()}
    for name, tensor in found.items():
        tensor.requires_grad_("running_" not in name)
    optimizer = torch.optim.AdamW([t for t in found.values() if t.requires_grad], lr=1e-4)

    def step_once():
        optimizer.zero_grad()
        logits = forward(found, batch, True)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
        chance = torch.sigmoid(logits)
        loss = loss + 1 - 2 * (chance * target).sum() / (chance.sum() + target.sum())
        loss.backward()
        optimizer.step()

    runs = {"onnxruntime": onnxruntime_once, "torch": torch_once, "step": step_once}
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "same":
            apart = np.abs(onnxruntime_once() - torch_once()).max()
            print(f"{apart:.2e}", flush=True)
            continue
        wall, cpu = time.perf_counter(), time.process_time()
        runs[line.strip()]()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(f"{wall * 1e3:.2f} {cpu * 1e3:.2f}", flush=True)


main()
