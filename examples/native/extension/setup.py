from setuptools import Extension, setup

import vmem

setup(ext_modules=[Extension("ramp", ["ramp.c"], include_dirs=[vmem.get_include()])])
