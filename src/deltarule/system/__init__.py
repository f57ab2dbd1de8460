"""The machine: memory, threads, processes, files, and text that is safe to show."""
