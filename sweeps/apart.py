"""Loaded by the fork server alone: a signal to the process group of a command is not for it, the command tells its
workers itself.
"""

import os

os.setpgrp()
