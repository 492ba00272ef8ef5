"""Prunes torchvision's ResNet-50 at .5 with Torch-Pruning: one line of JSON with the milliseconds for each line read."""

import json
import os
import sys
import time
import warnings

warnings.filterwarnings("ignore")
import torch
import torch_pruning as tp
import torchvision

torch.set_num_threads(int(os.environ.get("THREADS", "2")))
print(json.dumps({"peer": f"Torch-Pruning on PyTorch {torch.__version__}"}), flush=True)

for _ in sys.stdin:
    model = torchvision.models.resnet50(weights=None).eval()
    example = torch.randn(1, 3, 224, 224)
    started = time.perf_counter()
    pruner = tp.pruner.MagnitudePruner(
        model,
        example,
        importance=tp.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=0.5,
        ignored_layers=[model.fc],
    )
    pruner.step()
    print(json.dumps({"ms": 1000 * (time.perf_counter() - started)}), flush=True)
