from Cython.Build import cythonize
from setuptools import Extension, setup

import vmem

setup(ext_modules=cythonize([Extension("noise", ["noise.pyx"], include_dirs=[vmem.get_include()])]))
