"""What is read off a trained experiment. One record each here, without torch; the code that reads weights in a module of its own."""

from __future__ import annotations

from bench.experiment import Measure

ACCURACY = Measure("accuracy", "%", "test accuracy")
LOSS = Measure("loss", "", "test loss", tolerance=0.005, digits=4, key="test/loss", best="min")

MEASURES = {m.name: m for m in (ACCURACY, LOSS)}
