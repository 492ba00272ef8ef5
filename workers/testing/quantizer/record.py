"""Quantizes the models in a folder with onnxruntime.quantization and writes down every scale and zero point.

Run by record.ts: python record.py FOLDER OUTPUT. Needs onnx and onnxruntime; the versions are kept in the output.
"""

import hashlib
import json
import pathlib
import sys
import tempfile

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.calibrate import create_calibrator

SETTINGS = {
    "u8s8 per channel": dict(activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True),
    "u8s8 per tensor, 7 bits": dict(
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=False, reduce_range=True
    ),
    "s8s8 symmetric": dict(
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        per_channel=False,
        extra_options={"ActivationSymmetric": True},
    ),
    "u8u8 per tensor": dict(activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8, per_channel=False),
}


class Batches(CalibrationDataReader):
    def __init__(self, folder, name):
        dims = json.loads((folder / "dims.json").read_text())
        files = sorted(folder.glob("*.f32"))
        self.batches = iter([{name: numpy.fromfile(f, dtype="<f4").reshape(dims)} for f in files])

    def get_next(self):
        return next(self.batches, None)


def ranges_of(folder, name):
    with tempfile.TemporaryDirectory() as scratch:
        calibrator = create_calibrator(
            folder / "model.onnx",
            augmented_model_path=f"{scratch}/augmented.onnx",
            calibrate_method=CalibrationMethod.MinMax,
        )
        calibrator.collect_data(Batches(folder, name))
        data = calibrator.compute_data()
        return {key: [float(v.squeeze()) for v in data[key].range_value] for key in data.keys()}


def digest(arrays):
    h = hashlib.sha256()
    for array in arrays:
        h.update(numpy.ascontiguousarray(array).tobytes())
    return h.hexdigest()[:16]


def record(folder, setting):
    name = onnx.load(folder / "model.onnx", load_external_data=False).graph.input[0].name
    with tempfile.TemporaryDirectory() as scratch:
        out = f"{scratch}/quantized.onnx"
        quantize_static(folder / "model.onnx", out, Batches(folder, name), quant_format=QuantFormat.QDQ, **setting)
        graph = onnx.load(out).graph
    values = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    activations, constants = {}, {}
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in values:
            scale, zero = values[node.input[1]], values[node.input[2]]
            key = node.input[0].removesuffix("_QuantizeLinear_Input")
            activations[key] = [float(scale), int(zero)]
        if node.op_type == "DequantizeLinear" and node.input[0] in values:
            codes, scale, zero = (values[i] for i in node.input)
            constants[node.input[0].removesuffix("_quantized")] = digest([scale, zero, codes])
    return {"activations": activations, "constants": constants}


def main(root, output):
    found = {}
    for folder in sorted(p for p in pathlib.Path(root).iterdir() if p.is_dir()):
        name = onnx.load(folder / "model.onnx", load_external_data=False).graph.input[0].name
        ranges = ranges_of(folder, name)
        for label, setting in SETTINGS.items():
            row = record(folder, setting)
            kept = {k: v for k, v in ranges.items() if k in row["activations"]}
            found.setdefault(folder.name, {})[label] = {"ranges": kept, **row}
    versions = {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__}
    text = json.dumps({"versions": versions, "nets": found}, separators=(",", ":"), sort_keys=True).replace('},"', '},\n"')
    pathlib.Path(output).write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
