#!/usr/bin/env bash
# Runs the tests and benchmarks of a GPU with the torch that Python finds here; nothing is fetched.
#   PYTHON=python3.12 ./run.sh [cuda | cpu]      cpu: a trial of all but the GPU
set -euo pipefail
cd "$(dirname "$0")"
device=${1:-cuda}
"${PYTHON:-python3}" -m venv --system-site-packages --clear venv
venv/bin/python -m pip --disable-pip-version-check install -q --no-index --no-deps --ignore-installed wheels/*.whl
venv/bin/python -c 'import torch, yeastxr; print("torch", torch.__version__, "yeastxr", yeastxr.__version__)'
{
  if [ "$device" = cuda ]; then
    nvidia-smi -L
    venv/bin/python -m pytest -q -p no:cacheprovider -m gpu tests/training/test_tensors.py tests/training/test_batches.py
  else
    venv/bin/python -m pytest -q -p no:cacheprovider -m "not slow" tests/training/test_tensors.py tests/training/test_batches.py
  fi
  venv/bin/python -m tests.benchmarks.gpu "$device"
} 2>&1 | tee results.txt
