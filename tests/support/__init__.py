"""What the tests share. Child programs import these modules too, but not `forked`, `marks` and `sharing`."""
