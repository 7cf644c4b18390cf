"""Power loss, simulated: run a program on a `PowerLossDisk`, then `replay` every disk that a power cut may leave."""

from crash.powerloss.faults import Fault, Faults, Step
from crash.powerloss.images import Choice, CrashImage, Mode, image, images
from crash.powerloss.machine import PowerLossDisk
from crash.powerloss.replay import Loss, PowerLoss, Report, replay

__all__ = [
    "Choice",
    "CrashImage",
    "Fault",
    "Faults",
    "Loss",
    "Mode",
    "PowerLoss",
    "PowerLossDisk",
    "Report",
    "Step",
    "image",
    "images",
    "replay",
]
