"""What tumen promises in numbers, measured: each figure beside a bare loop of the same run."""
