"""Features, training, tables (the ensemble collapsed), calibration, points, reasons."""
