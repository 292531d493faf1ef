"""The fork server alone loads this module. It leaves the process group of its command, which stops the workers itself.

A worker that has not installed its own handlers yet ends quietly on Ctrl-C, without a traceback.
"""

import os
import signal

os.setpgrp()
signal.signal(signal.SIGINT, signal.SIG_DFL)
