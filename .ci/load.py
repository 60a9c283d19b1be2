"""Three exports of one model, each in its own runtime, and none of us.

python .ci/load.py FOLDER     with saved_model/, dcgan.tflite and onnx/ in it
"""

import importlib.util
import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import onnxruntime
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

if importlib.util.find_spec("keras_genai") is not None:
    raise SystemExit("keras_genai is installed here: nothing is shown")
folder = Path(sys.argv[1])
decode = tf.saved_model.load(str(folder / "saved_model")).signatures["decode"]
_, inputs = decode.structured_input_signature
width = inputs["noise"].shape[1]
noise = np.random.default_rng(0).standard_normal((16, width), "float32")

images = decode(noise=tf.constant(noise))["images"].numpy()
litert = Interpreter(str(folder / "dcgan.tflite"))
runner = litert.get_signature_runner("decode")
session = onnxruntime.InferenceSession(folder / "onnx" / "decode.onnx")
for others in (
    runner(noise=noise)["images"],
    *session.run(None, {"noise": noise}),
):
    np.testing.assert_allclose(others, images, atol=1e-5)
if images.max() == images.min():
    raise SystemExit("nothing is drawn on them")
print(f"{images.shape}: the same from TensorFlow, LiteRT and ONNX Runtime")
