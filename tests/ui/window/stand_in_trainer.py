"""Speaks as the trainer does, but learns nothing: writes a log, validation pictures and a model as fast as it can."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import time
from pathlib import Path

from PIL import Image


def main() -> int:
    values = dict(argument[2:].split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    out, template = Path(values["out"]), Path(values["template"])
    ending = (template.parent / "ending.txt").read_text().strip()
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
    print(json.dumps({"stage": "importing photos", "done": 0, "total": 1}), flush=True)
    print("a stray line of some library", flush=True)
    if ending == "refuse":
        error = {"kind": "bad_photo", "message": "The <b>photos</b> spread over two cities.", "hint": "Leave some out."}
        print(json.dumps({"error": error}), flush=True)
        return 1
    if ending == "crash":
        print("Segmentation fault", file=sys.stderr, flush=True)
        return 77
    before = out / "log.csv"
    first = len(before.read_text().splitlines()) if before.exists() else 0
    if not first:
        before.write_text("step,samples,loss,validation_loss,learning_rate,samples_per_second,seconds\n")
        first = 1
    (out / "validation").mkdir(exist_ok=True)
    Image.new("RGB", (60, 40), "teal").save(out / "validation" / "step-000001.png")
    for step in range(first, first + 5):
        with before.open("a") as file:
            file.write(f"{step},{32 * step},{2 / step:.4f},{2.2 / step if step % 2 else ''},1e-3,9,1\n")
        progress = {"step": step, "steps": 100, "loss": 2 / step, "samples": 32 * step, "samples_per_second": 9.0}
        print(json.dumps({**progress, "seconds_left": 5.0}), flush=True)
    while ending == "wait" and not stopped:
        time.sleep(0.02)
    if (out / "model").exists():
        shutil.rmtree(out / "model")
    shutil.copytree(template, out / "model")
    card = out / "model" / "gpsdream.json"
    settings = json.loads(Path(values["config"]).read_text())
    data = json.loads(card.read_text())
    data.update(name=settings["card"]["name"], title=settings["card"]["title"])
    card.write_text(json.dumps(data))
    if ending == "wait":
        return 130
    print(json.dumps({"model": str(out / "model")}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
