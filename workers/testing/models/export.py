"""Writes the small models beside this file: export.py (needs torch, torchvision, onnx, onnxscript, onnxruntime)

Architectures as people export them, with few channels and weights from a seed: classifiers, a detector, OCR, speech,
text, embeddings and segmentation, from both of PyTorch's exporters, then quantized, fused and halved by onnxruntime's
own tools. The versions that wrote the files are in the files.
"""

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

warnings.simplefilter("ignore")
here = Path(__file__).parent


class Crnn(nn.Module):
    """OCR: convolutions, then a recurrent net over the columns (Shi et al. 2015, arXiv:1507.05717)."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d((2, 1)),
            nn.Conv2d(16, 16, (4, 1)), nn.Hardswish(),
        )
        self.rnn = nn.LSTM(16, 12, bidirectional=True)
        self.head = nn.Linear(24, 20)

    def forward(self, x):
        columns = self.features(x).squeeze(2).permute(2, 0, 1)
        return F.log_softmax(self.head(self.rnn(columns)[0]), -1)


class Vad(nn.Module):
    """Speech: convolutions over samples, a GRU, one probability per frame."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(1, 16, 64, stride=32), nn.ReLU(), nn.Conv1d(16, 16, 3, padding=1, groups=4), nn.GELU()
        )
        self.rnn = nn.GRU(16, 16, batch_first=True)
        self.head = nn.Linear(16, 1)

    def forward(self, samples):
        frames = self.encoder(samples.unsqueeze(1)).transpose(1, 2)
        return torch.sigmoid(self.head(self.rnn(frames)[0])).squeeze(-1)


class Speech(nn.Module):
    """Speech: a spectrogram through depthwise-separable convolutions with squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.norm = nn.GroupNorm(3, 12)
        self.squeeze = nn.Linear(12, 4)
        self.excite = nn.Linear(4, 12)
        self.head = nn.Linear(12, 10)

    def forward(self, spectrogram):
        x = F.silu(self.norm(self.depthwise(F.relu6(self.stem(spectrogram)))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3))))))
        return self.head((x * gate[:, :, None, None]).mean((2, 3)))


class Bert(nn.Module):
    """Text: token and position embeddings, two encoder layers (Devlin et al. 2018, arXiv:1810.04805)."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(100, width), nn.Embedding(16, width)
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 64, 0.1, F.gelu, batch_first=True) for _ in range(2)
        )
        self.pooler = nn.Linear(width, width)

    def forward(self, ids):
        x = self.norm(self.tokens(ids) + self.positions.weight[: ids.shape[1]])
        for layer in self.layers:
            x = layer(x)
        return torch.tanh(self.pooler(x[:, 0]))


class SelfAttention(nn.Module):
    """Attention written out, in the form that onnxruntime's fusions look for."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.q, self.k, self.v, self.out = (nn.Linear(width, width) for _ in range(4))

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, self.size).permute(0, 2, 1, 3)

    def forward(self, x, mask):
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        logits = torch.matmul(q, k.transpose(-1, -2)) / self.size**0.5 + mask
        mixed = torch.matmul(torch.softmax(logits, -1), v).permute(0, 2, 1, 3).contiguous()
        return self.out(mixed.view(x.shape[0], x.shape[1], self.heads * self.size))


class BertByHand(nn.Module):
    def __init__(self, width=32, heads=4):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(100, width), nn.Embedding(16, width)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.ModuleList(SelfAttention(width, heads) for _ in range(2))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        self.up = nn.ModuleList(nn.Linear(width, 64) for _ in range(2))
        self.down = nn.ModuleList(nn.Linear(64, width) for _ in range(2))
        self.head = nn.Linear(width, 3)

    def forward(self, ids, mask):
        bias = (1.0 - mask[:, None, None, :].float()) * -10000.0
        x = self.norm(self.tokens(ids) + self.positions(torch.arange(ids.shape[1])))
        for i in range(2):
            x = self.norms[2 * i](x + self.attention[i](x, bias))
            x = self.norms[2 * i + 1](x + self.down[i](F.gelu(self.up[i](x))))
        return self.head(x[:, 0])


class Gpt(nn.Module):
    """Text: a decoder with root-mean-square norms, rotary positions and a gated feed-forward net, as Llama has them."""

    def __init__(self, width=32, heads=4):
        super().__init__()
        self.heads, self.size = heads, width // heads
        self.tokens = nn.Embedding(64, width)
        self.first, self.second = nn.Parameter(torch.ones(width)), nn.Parameter(torch.ones(width))
        self.qkv, self.out = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.gate, self.up = nn.Linear(width, 48, bias=False), nn.Linear(width, 48, bias=False)
        self.down = nn.Linear(48, width, bias=False)

    def rms(self, x, weight):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight

    def rotate(self, x):
        angle = torch.arange(x.shape[2])[:, None] * 100.0 ** (-torch.arange(0, self.size, 2) / self.size)
        cos, sin = (f(torch.cat([angle, angle], -1)) for f in (torch.cos, torch.sin))
        half = torch.cat([-x[..., self.size // 2 :], x[..., : self.size // 2]], -1)
        return x * cos + half * sin

    def forward(self, ids):
        x = self.tokens(ids)
        q, k, v = self.qkv(self.rms(x, self.first)).chunk(3, -1)
        q, k, v = (t.unflatten(-1, (self.heads, self.size)).transpose(1, 2) for t in (q, k, v))
        mixed = F.scaled_dot_product_attention(self.rotate(q), self.rotate(k), v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        h = self.rms(x, self.second)
        x = x + self.down(F.silu(self.gate(h)) * self.up(h))
        return x @ self.tokens.weight.T


class Detector(nn.Module):
    """Detection: a feature pyramid with nearest upsampling, box and class heads, then non-maximum suppression."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)
        self.lateral = nn.Conv2d(8, 16, 1)
        self.head = nn.Conv2d(16, 7, 1)

    def forward(self, image):
        low = F.silu(self.c1(image))
        high = F.silu(self.c2(low))
        merged = self.lateral(low) + F.interpolate(high, scale_factor=2.0, mode="nearest")
        raw = self.head(merged).flatten(2).transpose(1, 2)
        centre, size = raw[..., :2].sigmoid() * 32, raw[..., 2:4].exp() * 4
        boxes = torch.cat([centre - size / 2, centre + size / 2], -1)
        return boxes, raw[..., 4:].softmax(-1)


class DetectorWithNms(Detector):
    def forward(self, image):
        boxes, scores = super().forward(image)
        best, label = scores[0].max(-1)
        kept = torchvision.ops.nms(boxes[0], best, 0.5)
        return boxes[0][kept], best[kept], label[kept]


class UNet(nn.Module):
    """Segmentation (Ronneberger et al. 2015, arXiv:1505.04597), with one transposed and one bilinear way up."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1), nn.Conv2d(12, 16, 3, padding=1)
        self.norm = nn.InstanceNorm2d(8, affine=True)
        self.up = nn.ConvTranspose2d(16, 12, 2, 2)
        self.d, self.e = nn.Conv2d(24, 8, 3, padding=1, padding_mode="reflect"), nn.Conv2d(16, 2, 1)

    def forward(self, x):
        a = F.leaky_relu(self.norm(self.a(x)))
        b = F.elu(self.b(F.avg_pool2d(a, 2)))
        c = F.mish(self.c(F.max_pool2d(b, 2)))
        d = F.relu(self.d(torch.cat([self.up(c), b], 1)))
        wide = F.interpolate(d, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.e(torch.cat([wide, a], 1))


class Embedder(nn.Module):
    """Embeddings: mean-pooled tokens of length 1."""

    def __init__(self):
        super().__init__()
        self.tokens, self.mix, self.slope = nn.Embedding(80, 24), nn.Linear(24, 24), nn.PReLU(24)

    def forward(self, ids, mask):
        weight = mask.float().unsqueeze(-1)
        mean = (self.tokens(ids) * weight).sum(1) / weight.sum(1).clamp(min=1e-9)
        return F.normalize(self.slope(self.mix(mean)), dim=-1)


class SuperResolution(nn.Module):
    """Super-resolution by sub-pixel convolution (Shi et al. 2016, arXiv:1609.05158)."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(1, 12, 5, padding=2), nn.Conv2d(12, 8, 3, padding=1), nn.Conv2d(8, 9, 3, padding=1)

    def forward(self, x):
        return F.pixel_shuffle(self.c(torch.tanh(self.b(torch.tanh(self.a(x))))), 3)


image = torch.randn(2, 3, 32, 32)
ids = torch.arange(16).reshape(2, 8)
mask = torch.ones(2, 8, dtype=torch.int64)
vit = torchvision.models.vision_transformer.VisionTransformer
swin = torchvision.models.swin_transformer.SwinTransformer

# name: (module, inputs, exporter, opset); the batch stays open
exports = {
    "mobilenet": (lambda: torchvision.models.MobileNetV2(10, 0.5, [[1, 8, 1, 1], [6, 16, 2, 2], [6, 24, 1, 2]]), (image,), "torchscript", 13),
    "shufflenet": (lambda: torchvision.models.ShuffleNetV2([1, 2, 1], [8, 16, 32, 48, 64], num_classes=10), (image,), "torchscript", 11),
    "vision-transformer": (lambda: vit(32, 8, 2, 2, 32, 48, num_classes=10), (image,), "dynamo", 20),
    "swin": (lambda: swin([4, 4], 16, [1, 1], [2, 2], [4, 4], num_classes=10), (image,), "dynamo", 18),
    "ocr-crnn": (Crnn, (torch.randn(2, 1, 16, 40),), "torchscript", 17),
    "speech-vad": (Vad, (torch.randn(2, 512),), "torchscript", 16),
    "speech-keywords": (Speech, (torch.randn(2, 1, 40, 49),), "dynamo", 21),
    "text-bert": (Bert, (ids,), "dynamo", 18),
    "text-bert-classifier": (BertByHand, (ids, mask), "torchscript", 14),
    "text-decoder": (Gpt, (ids,), "dynamo", 23),
    "embeddings": (Embedder, (ids, mask), "torchscript", 12),
    "detector": (Detector, (image,), "dynamo", 18),
    "detector-nms": (DetectorWithNms, (image[:1],), "torchscript", 12),
    "segmentation-unet": (UNet, (image,), "dynamo", 19),
    "super-resolution": (SuperResolution, (torch.randn(2, 1, 12, 12),), "torchscript", 9),
}


def export(name, path):
    build, inputs, exporter, opset = exports[name]
    torch.manual_seed(7)
    module = build().eval()
    names = [f"input_{i}" for i in range(len(inputs))]
    fixed = name == "detector-nms"
    if exporter == "dynamo":
        shapes = None if fixed else tuple({0: torch.export.Dim("batch", min=1)} for _ in inputs)
        torch.onnx.export(module, inputs, path, input_names=names, opset_version=opset, dynamo=True,
                          external_data=False, dynamic_shapes=shapes, verbose=False)
    else:
        axes = None if fixed else {n: {0: "batch"} for n in names}
        torch.onnx.export(module, inputs, path, input_names=names, opset_version=opset, dynamo=False,
                          dynamic_axes=axes)


def without_notes(path):
    """The exporters write stack traces of this machine's files into the model."""
    model = onnx.load(path)
    for graph in [model.graph, *model.functions]:
        for node in graph.node:
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
        graph.ClearField("metadata_props")
        for info in [*graph.value_info, *getattr(graph, "input", []), *getattr(graph, "output", [])]:
            if hasattr(info, "metadata_props"):
                info.ClearField("metadata_props")
    model.graph.ClearField("doc_string")
    for tensor in model.graph.initializer:
        tensor.ClearField("metadata_props")
    onnx.save(model, path)


def calibration(names, shape):
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):
        def __init__(self):
            random = np.random.default_rng(3)
            self.batches = iter([{n: random.standard_normal(shape, np.float32) for n in names} for _ in range(4)])

        def get_next(self):
            return next(self.batches, None)

    return Reader()


def dynamic_int8(source, path):
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(source, path)


def static_qdq(source, path):
    from onnxruntime.quantization import quantize_static

    quantize_static(source, path, calibration(["input_0"], (2, 1, 40, 49)), per_channel=True)


def weights_int4(source, path):
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    quantizer = MatMulNBitsQuantizer(onnx.load(source), block_size=16, is_symmetric=True)
    quantizer.process()
    onnx.save(quantizer.model.model, path)


def fused(source, path):
    from onnxruntime.transformers.optimizer import optimize_model

    optimize_model(source, "bert", num_heads=4, hidden_size=32, opt_level=0).save_model_to_file(path)


def halved(source, path):
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=False), path)


def fused_by_session(source, path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = path
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


# name: (the model it is made of, how)
derived = {
    "text-bert-classifier-int8": ("text-bert-classifier", dynamic_int8),
    "text-bert-classifier-fused": ("text-bert-classifier", fused),
    "speech-keywords-qdq": ("speech-keywords", static_qdq),
    "text-decoder-int4": ("text-decoder", weights_int4),
    "mobilenet-fp16": ("mobilenet", halved),
    "speech-vad-fp16": ("speech-vad", halved),
    "super-resolution-fused": ("super-resolution", fused_by_session),
    "shufflenet-fused": ("shufflenet", fused_by_session),
}


def attempt(name, write):
    path = str(here / f"{name}.onnx")
    try:
        write(path)
        without_notes(path)
        print(name, os.path.getsize(path), flush=True)
    except Exception as error:
        print(name, "FAILED", type(error).__name__, str(error)[:400], flush=True)


def main(wanted):
    for name in exports:
        if not wanted or name in wanted:
            attempt(name, lambda path: export(name, path))
    for name, (source, make) in derived.items():
        if not wanted or name in wanted:
            attempt(name, lambda path: make(str(here / f"{source}.onnx"), path))


main(sys.argv[1:])
