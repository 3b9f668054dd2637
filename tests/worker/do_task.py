"""Does the order in a folder, as submitit has it done. Run by tests, not by pytest."""

import sys

from datacomp.worker.task import run_task

run_task(sys.argv[1])
