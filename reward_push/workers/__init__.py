"""Several node processes on one host that share its port, and the process that looks after them."""
