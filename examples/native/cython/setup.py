from Cython.Build import cythonize
from setuptools import Extension, setup

import vmem

noise = Extension("noise", ["noise.pyx"], include_dirs=[vmem.get_include()])
setup(ext_modules=cythonize([noise]))
