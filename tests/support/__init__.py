"""What the tests share. Child programs import these modules too, so only `marks` and `sharing` import pytest."""
