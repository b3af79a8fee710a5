"""python -m sam_cluster"""

import sys

from sam_cluster.cli.program import program

sys.exit(program())
