"""onnxruntime.quantization beside ours: a line of JSON {"model", "samples", "method", "count"} quantizes a model once.

`samples` is a file of float32 images [n, 3, 224, 224], read again from the start until `count` were given. Every piece
of work runs in a forked child, so that its peak memory is its own. Answers {"ms", "mb"}.
"""

import json
import os
import resource
import sys
import tempfile
import time

import numpy
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

METHODS = {
    "min-max": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}


class Images(CalibrationDataReader):
    def __init__(self, path, count):
        self.images = numpy.memmap(path, dtype="<f4", mode="r").reshape(-1, 1, 3, 224, 224)
        self.count = count
        self.at = 0

    def get_next(self):
        if self.at == self.count:
            return None
        image = numpy.array(self.images[self.at % len(self.images)])
        self.at += 1
        return {"input": image}


def work(order):
    with tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        quantize_static(
            order["model"],
            f"{scratch}/quantized.onnx",
            Images(order["samples"], order["count"]),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=METHODS[order["method"]],
        )
        return (time.perf_counter() - started) * 1000


def in_child(order):
    reader, writer = os.pipe()
    if os.fork() == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        ms = work(order)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        os.write(writer, json.dumps({"ms": ms, "mb": peak}).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        answer = answers.read()
    os.wait()
    return answer


print(json.dumps({"peer": f"onnxruntime.quantization {onnxruntime.__version__}"}), flush=True)
for line in sys.stdin:
    print(in_child(json.loads(line)), flush=True)
