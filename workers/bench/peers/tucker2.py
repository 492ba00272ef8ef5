"""Tucker-2 of convolution weights in tensorly, as a peer program of workers/bench/tucker.ts.

Each line on stdin names a file of float32 numbers, the sizes [out, in, 3, 3] and the two ranks; the answer has the
milliseconds and the relative error in the Frobenius norm.
"""

import json
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("THREADS", "1"))

import numpy as np
import tensorly as tl
from tensorly.decomposition import partial_tucker

print(json.dumps({"peer": f"tensorly {tl.__version__}, numpy {np.__version__}"}), flush=True)
for line in sys.stdin:
    path, *numbers = line.split()
    out, inner, rank_out, rank_in = map(int, numbers)
    weight = np.fromfile(path, dtype=np.float32).reshape(out, inner, 3, 3)
    started = time.perf_counter()
    (core, factors), _ = partial_tucker(
        weight, rank=[rank_out, rank_in], modes=[0, 1], init="svd", n_iter_max=100, tol=1e-4
    )
    elapsed = 1000 * (time.perf_counter() - started)
    back = tl.tenalg.multi_mode_dot(core, factors, modes=[0, 1])
    error = float(np.linalg.norm(back.astype(np.float64) - weight) / np.linalg.norm(weight))
    print(json.dumps({"ms": elapsed, "error": error}), flush=True)
