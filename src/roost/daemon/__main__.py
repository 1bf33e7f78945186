"""`python -m roost.daemon` is `roostd`."""

import sys

from roost.daemon import main

sys.exit(main())
