"""Judge: from a recording to verdicts, each with its evidence and with what to try."""
