"""The layout of text: delimiter, quotes, header, rows that are bad, notes and totals around it."""
