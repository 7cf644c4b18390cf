"""Power loss, simulated: run a program on a `PowerLossDisk`, then `replay` every disk that a power cut may leave.

    with PowerLossDisk(folder) as disk:
        store = open_it(folder, files=disk.files)
        store.append(batch); disk.mark(batch)                   # the promise
        store.close()
        disk.replay(check, limit=2000)                          # check(image) raises: image.path, image.marks

A PowerLoss names a Choice; `disk.image(choice, into=...)` builds that disk again. `disk.faults` makes steps fail.
"""

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
