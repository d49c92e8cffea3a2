"""The sections of a report, one file each; see `hrsnn_lava.report.section`."""
