"""python -m sam_cluster"""

import sys

from sam_cluster.cli.main import main

sys.exit(main())
