"""A night on a log in an object store: the same version as on disk, changes are noticed, no secret is written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.steps.inputs import changed_inputs
from pipelines.steps.run import run
from pipelines.steps.workspace import STEPS
from recsys.pipeline_config import load_config
from recsys.progress import silent
from tests.object_stores import BUCKET, Bucket


def test_a_night_from_a_bucket_is_the_night_from_disk(shop: Path, bucket: Bucket) -> None:
    folder = shop.parent
    bucket.put_folder(folder / "events", "shop/events")
    bucket.put("shop/items.csv", (folder / "items.csv").read_bytes())
    local = run(load_config(shop), progress=silent).publish
    remote = {
        "log.paths": [f"s3://{BUCKET}/shop/events/*.csv"],
        "items.path": f"s3://{BUCKET}/shop/items.csv",
        "workspace": "far",
        "publish.store": "far/store",
    }
    config = load_config(shop, overrides=remote)
    night = run(config, progress=silent)
    assert night.publish.version == local.version
    prepared = config.workspace / "prepare"
    assert changed_inputs(config, prepared) == ()
    bucket.put("shop/items.csv", (folder / "items.csv").read_bytes()[:-40])
    bucket.put("shop/events/z.csv", b"user_id\n")
    bucket.faults.clear()
    log, catalogue = changed_inputs(config, prepared)
    assert log == "the log has changed since prepare read it: z.csv is new"
    assert catalogue.startswith("the catalogue has changed since prepare read it: items.csv has ")
    assert run(config, steps=STEPS[4:], progress=silent).publish.changed_inputs == (log, catalogue)
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"the-secret-of-the-test" not in written


def test_a_night_that_cannot_reach_its_bucket_is_exit_code_2_and_the_old_version_serves(
    shop: Path, bucket: Bucket, recsys: Callable[..., Any]
) -> None:
    bucket.put_folder(shop.parent / "events", "events")
    (shop.parent / "work").mkdir(exist_ok=True)
    result = recsys("prepare", shop, "--set", f'log.paths=["s3://{BUCKET}-other/events"]')
    assert result.returncode == 2
    assert f"s3://{BUCKET}-other/events: no such bucket" in result.stderr
