"""Builds the extension; everything else about the package is in pyproject.toml."""

import os
import re
import shlex
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CompileError, LinkError

# The stable ABI has no room for free-threaded builds yet, so those get a wheel for their own version.
USES_STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")
STABLE_ABI = "0x030B0000"

SOURCES = sorted(path.as_posix() for path in Path("csrc").rglob("*.c"))
HEADERS = sorted(path.as_posix() for path in Path("csrc").rglob("*.h"))
PUBLIC_HEADERS = ["vmem.h", "vmem_arena.h", "vmem_python.h"]

# Optimising across files at this level makes the extension smaller than the one that Python was compiled with does for
# each file, and as fast. Measured for Linux; who sets CFLAGS wants others.
ACROSS_FILES = ["-O2", "-flto=auto"]

# What takes a tenth of a wheel and makes no call faster, as far as that could be measured.
ACROSS_FILES += [
    "-fno-asynchronous-unwind-tables",
    "-fno-inline-functions",
    "-fno-tree-vectorize",
    "-fno-align-functions",
    "-fno-align-jumps",
    "-fno-align-labels",
    "-fno-align-loops",
]

# The same, of gcc alone: 2 %.
OF_GCC = [
    "-fno-plt",
    "-fno-tree-ch",
    "-freorder-blocks-algorithm=simple",
    "-fno-schedule-insns2",
    "-fno-ipa-cp",
    "-fno-ipa-sra",
]

# Where a call takes so long, or is made so seldom, that instructions do not count: these are made small, which takes
# another 2 % of a wheel. In the others that makes calls up to six times as slow.
SMALL_SOURCES = [
    f"csrc/{folder}{name}.c"
    for folder, names in {
        "": "_vmem",
        "core/": "busy errors file_memory lifetime long_call mapping_budget mapping_cost mirrored_memory native_hold"
        " page_ops shared_memory shared_page snapshot",
        "python/": "forking functions",
        "types/arena/": "scope",
        "types/": "arrow_capsules attach c_api sharing",
        "types/ring/": "type",
        "types/array/": "arrow dlpack export file pickling place sharing type",
        "types/table/": "arrow_input arrow_output attributes column column_items column_numpy column_types extending"
        " numpy_items row_range schema sharing sources type",
    }.items()
    for name in names.split()
]

# Those of them that write what comes from files into arrays on the stack. To guard all functions takes 4 kB of a wheel.
GUARDED_SOURCES = ["csrc/core/file_memory.c"]

if sys.platform == "win32":
    COMPILE_ARGUMENTS = ["/std:c11", "/W3", "/guard:cf"]
    LINK_ARGUMENTS = ["/guard:cf"]
else:
    COMPILE_ARGUMENTS = [
        "-std=c11",
        "-fvisibility=hidden",
        "-fstack-protector",
        "-U_FORTIFY_SOURCE",  # some compilers define it themselves, and would warn
        "-D_FORTIFY_SOURCE=2",
        "-Wall",
        "-Wextra",
        "-Wno-missing-field-initializers",
        "-g0",
    ]
    LINK_ARGUMENTS = []
    strips = not os.environ.get("CFLAGS")  # names for debuggers, a tenth of it; who sets flags may want them
    if sys.platform == "darwin":
        LINK_ARGUMENTS += ["-Wl,-x"] if strips else []
    else:
        COMPILE_ARGUMENTS += ["-fstack-clash-protection"]
        LINK_ARGUMENTS += ["-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack"]
        LINK_ARGUMENTS += ["-Wl,--strip-all"] if strips else []
    # Once more at the end, so that what the user asks for wins.
    COMPILE_ARGUMENTS += shlex.split(os.environ.get("CFLAGS", ""))


def describe_project(version):
    """The README, for the package index: its links and pictures by the address of the repository, once there is one."""
    text = Path("README.md").read_text(encoding="utf-8")
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    repository = project.get("urls", {}).get("Repository", "").rstrip("/")
    if not repository:
        return text
    text = re.sub(r'((?:src|srcset)=")(?=docs/)', rf"\1{repository}/raw/v{version}/", text)
    return re.sub(r"(\]\()(?![a-z]+:|#)", rf"\1{repository}/blob/v{version}/", text)


class BuildExtension(build_ext):
    """Builds what does not depend on the interpreter that happens to build it."""

    def get_ext_filename(self, fullname):
        """From 3.15 on the stable ABI's suffix names the machine too, and older Pythons would not find that."""
        return re.sub(r"\.abi3-[^.]+", ".abi3", super().get_ext_filename(fullname))

    def build_extensions(self):
        """Without where the interpreter has its own library: that is a folder of the machine that builds."""
        if linker := getattr(self.compiler, "linker_so", None):
            self.compiler.linker_so = [argument for argument in linker if not argument.startswith("-Wl,-rpath")]
        if sys.platform.startswith("linux") and not os.environ.get("CFLAGS"):
            wanted = next((each for each in (ACROSS_FILES + OF_GCC, ACROSS_FILES) if self.can_link(each)), [])
            for extension in self.extensions:
                extension.extra_compile_args += wanted
                extension.extra_link_args += wanted
                if wanted:
                    self.compile_small(extension)
        super().build_extensions()

    def compile_small(self, extension):
        """Compiles what need not be fast, and leaves the rest to the usual way."""
        for sources, guard in ((SMALL_SOURCES, []), (GUARDED_SOURCES, ["-fstack-protector-strong"])):
            extension.extra_objects += self.compiler.compile(
                [source for source in sources if guard or source not in GUARDED_SOURCES],
                output_dir=self.build_temp,
                macros=extension.define_macros,
                include_dirs=extension.include_dirs,
                extra_postargs=[*extension.extra_compile_args, "-Os", *guard],
                depends=extension.depends,
            )
        extension.sources = [source for source in extension.sources if source not in SMALL_SOURCES]

    def can_link(self, arguments):
        """Whether compiler and linker take these arguments, and make of them what they should.

        Not every clang comes with what its linker needs. And linkers that do not know what gcc leaves for them take it
        without a word, and leave it out.
        """
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "source.c"), Path(folder, "library.so")
            source.write_text("int linked_function(void) { return 1; }\n", encoding="utf-8")
            try:
                objects = self.compiler.compile([str(source)], folder, extra_postargs=arguments)
                self.compiler.link_shared_object(objects, str(library), extra_postargs=arguments)
            except (CompileError, LinkError):
                return False
            return b"linked_function" in library.read_bytes()


class BuildPackage(build_py):
    """Also writes vmem.pc, for pkg-config cannot read the version from where it lives.

    In an editable installation nothing is copied, so there the public headers, and no others, are included from an
    include folder like that of a wheel.
    """

    def run(self):
        super().run()
        package = Path("src/vmem" if self.editable_mode else f"{self.build_lib}/vmem")
        template = Path("src/vmem/share/pkgconfig/vmem.pc.in").read_text(encoding="utf-8")
        self.write(package / "share/pkgconfig/vmem.pc", template.replace("@version@", self.distribution.get_version()))
        if self.editable_mode:
            for name in PUBLIC_HEADERS:
                header = Path("csrc", name).absolute().as_posix()
                self.write(package / "include" / name, f'#include "{header}"\n')

    @staticmethod
    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


(VERSION,) = re.findall(r'^__version__ = "(.*)"', Path("src/vmem/_about.py").read_text(encoding="utf-8"), re.MULTILINE)

setup(
    long_description=describe_project(VERSION),
    long_description_content_type="text/markdown",
    ext_modules=[
        Extension(
            "vmem._vmem",
            SOURCES,
            depends=HEADERS,
            include_dirs=["csrc"],
            define_macros=[("Py_LIMITED_API", STABLE_ABI)] if USES_STABLE_ABI else [],
            extra_compile_args=COMPILE_ARGUMENTS,
            extra_link_args=LINK_ARGUMENTS,
            py_limited_api=USES_STABLE_ABI,
        )
    ],
    cmdclass={"build_ext": BuildExtension, "build_py": BuildPackage},
    options={"bdist_wheel": {"py_limited_api": "cp311"}} if USES_STABLE_ABI else {},
)
