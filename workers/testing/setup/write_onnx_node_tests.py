"""Writes ONNX's own operator tests to a folder: write_onnx_node_tests.py FOLDER

FOLDER/<name>/model.onnx, case.json {"rtol", "atol"} and test_data_set_<n>/{input,output}_<i>.pb, each a TensorProto;
sequences and optionals are SequenceProto and OptionalProto and say so: input_0.sequence.pb, input_0.optional.pb.
"""

import json
import sys
import warnings
from pathlib import Path

# Some cases overflow on purpose while they are made.
warnings.simplefilter("ignore")

from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases


def to_proto(value, info):
    """The suffix of the file and the proto for one input or output."""
    kind = info.type.WhichOneof("value")
    if kind == "sequence_type":
        return ".sequence", numpy_helper.from_list(value, info.name)
    if kind == "optional_type":
        return ".optional", numpy_helper.from_optional(value, info.name)
    if isinstance(value, TensorProto):
        return "", value
    return "", numpy_helper.from_array(value, info.name)


def write_values(folder, side, values, infos):
    for index, (value, info) in enumerate(zip(values, infos, strict=True)):
        suffix, proto = to_proto(value, info)
        (folder / f"{side}_{index}{suffix}.pb").write_bytes(proto.SerializeToString())


def write_case(case, folder):
    graph = case.model.graph
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(case.model.SerializeToString())
    (folder / "case.json").write_text(json.dumps({"rtol": case.rtol, "atol": case.atol}))
    for index, (inputs, outputs) in enumerate(case.data_sets):
        data = folder / f"test_data_set_{index}"
        data.mkdir(exist_ok=True)
        write_values(data, "input", inputs, graph.input)
        write_values(data, "output", outputs, graph.output)


def main(target):
    cases = collect_testcases(None)
    for case in cases:
        write_case(case, Path(target) / case.name)
    print(f"{len(cases)} cases")


main(sys.argv[1])
