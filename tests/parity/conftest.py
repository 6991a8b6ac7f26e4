"""The scripts are data: `test_scripts` runs them, and not every machine has what they import."""

collect_ignore = ["scripts"]
