"""The tests of vmem, in folders that say what is tested; see CONTRIBUTING.md."""
