"""What happened, shown: a report of a training run, plots, worksheets to solve by hand."""
