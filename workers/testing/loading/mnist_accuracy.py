"""Accuracy of an ONNX file on MNIST's test images, with nothing but onnxruntime: what a user of the file would write."""
import sys

import numpy as np
import onnx
import onnxruntime

model, folder = sys.argv[1:]
onnx.checker.check_model(model, full_check=True)
images = np.fromfile(f"{folder}/t10k-images-idx3-ubyte", np.uint8)[16:].reshape(-1, 1, 28, 28)
labels = np.fromfile(f"{folder}/t10k-labels-idx1-ubyte", np.uint8)[8:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
(outputs,) = session.run(None, {session.get_inputs()[0].name: (images / np.float32(255)).astype(np.float32)})
print(float((outputs.argmax(1) == labels).mean()))
