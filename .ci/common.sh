# shellcheck shell=bash
# Functions that the other scripts here share. Each script starts in the root of the sources and stops at the first error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
CACHE=$ROOT/.ci/cache
DIST=$ROOT/.ci/dist
TOOLS=$ROOT/.ci/venvs/tools

step() { printf '\n=== %s\n' "$*"; }

fail() {
    echo "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Runs one script at a time, of all checkouts: apt fails where another apt is running.
wait_for_apt() {  # FUNCTION ARGUMENT...
    (
        flock 9
        "$@"
    ) 9> "${TMPDIR:-/tmp}/pyvmem-apt.lock"
}

install_packages() { wait_for_apt install_packages_now "$@"; }

install_packages_now() {
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=600 --no-install-recommends "$@" > /dev/null
}

# The mirror that this machine's apt uses.
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -1
}

# The newest interpreter of a version, on the path or in pyenv's folder.
find_python() {
    local candidate
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python "$(command -v "python$1" || true)"; do
        if [ -x "$candidate" ] && "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')"; then
            echo "$candidate"
            return
        fi
    done
    fail "there is no Python $1 on this machine"
}

make_venv() {  # INTERPRETER FOLDER GROUP...
    local interpreter=$1 venv=$2 groups=()
    shift 2
    for group in "$@"; do groups+=(--group "$ROOT/pyproject.toml:$group"); done
    "$interpreter" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --upgrade "pip>=25.1"
    [ $# = 0 ] || "$venv/bin/python" -m pip install --quiet "${groups[@]}"
}

# A temporary folder, outside of the sources so that nothing imports them by accident. Removed when the script ends.
make_work_folder() {
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
}

# Builds the wheel from the source distribution, so that a file missing there is missing in both. Sets SDIST and WHEEL.
build_distributions() {
    step "source distribution, and a wheel from it"
    make_venv "$(find_python 3.11)" "$TOOLS" wheels
    rm -rf "$DIST" build
    "$TOOLS/bin/python" -m build --outdir "$DIST/built" . > "$CACHE/build.log" 2>&1 || { cat "$CACHE/build.log"; exit 1; }
    SDIST=$(echo "$DIST"/built/*.tar.gz)
    PATH="$TOOLS/bin:$PATH" auditwheel repair --wheel-dir "$DIST" "$DIST"/built/*.whl 2> "$CACHE/auditwheel.log" ||
        { cat "$CACHE/auditwheel.log"; exit 1; }
    "$TOOLS/bin/python" .ci/compress_wheels.py "$DIST"/*.whl
    WHEEL=$(echo "$DIST"/*.whl)
    echo "$(basename "$SDIST"): $(stat -c %s "$SDIST") bytes"
    echo "$(basename "$WHEEL"): $(stat -c %s "$WHEEL") bytes"
}

# Sets SDIST and WHEEL. Builds them unless the caller, such as .ci/run, has done so and says KEEP_DIST.
find_distributions() {
    if [ -z "${KEEP_DIST:-}" ]; then
        build_distributions
    fi
    SDIST=$(echo "$DIST"/built/*.tar.gz)
    WHEEL=$(echo "$DIST"/*.whl)
}

# Unpacks the source distribution, which has the tests.
unpack_suite() {
    mkdir -p "$1"
    tar -xzf "$SDIST" --strip-components=1 -C "$1"
}

# The options by which this machine's apt downloads, such as proxies, without those for desktops.
acquire_options() { apt-config dump | grep '^Acquire' | grep -v '^Acquire::\(IndexTargets\|Changelogs\)'; }

# Unpacks packages of another architecture or release of Debian and their dependencies, without installing them.
unpack_packages() {  # ARCHITECTURE RELEASE FOLDER PACKAGE...
    local architecture=$1 release=$2 folder=$3
    shift 3
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/root"
    echo "deb $(debian_mirror) $release main" > "$folder/sources.list"
    local options=(
        -qq -o "APT::Architecture=$architecture" -o "APT::Architectures=$architecture"
        -o "Dir::Etc::SourceList=$folder/sources.list" -o "Dir::Etc::SourceParts=$folder/none"
        -o "Dir::State::Lists=$folder/lists" -o "Dir::State::status=/dev/null" -o "Dir::Cache=$folder/cache"
        -o "APT::Sandbox::User=$(id -un)"
    )
    apt-get "${options[@]}" update
    wait_for_apt apt-get "${options[@]}" install -y --no-install-recommends --download-only "$@" > /dev/null
    for package in "$folder"/cache/archives/*.deb; do dpkg -x "$package" "$folder/root"; done
    rm -rf "$folder/cache" "$folder/lists"
}

# The upstream sources of Python 3.13, without Debian's patches.
unpack_python_source() {  # FOLDER
    local folder=$1
    mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial"
    echo "deb-src $(debian_mirror) trixie main" > "$folder/sources.list"
    local options=(
        -qq -o "Dir::Etc::SourceList=$folder/sources.list" -o "Dir::Etc::SourceParts=$folder/none"
        -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o "APT::Sandbox::User=$(id -un)"
    )
    apt-get "${options[@]}" update
    (cd "$folder" && apt-get "${options[@]}" source --download-only python3.13)
    tar -xf "$folder"/python3.13_*.orig.tar.xz --strip-components=1 -C "$folder"
}

# A Python of another architecture. Its sys.executable is the script that starts it, so its child processes work too.
unpack_python() {  # ARCHITECTURE MULTIARCH_NAME FOLDER COMMAND...
    local architecture=$1 libraries=$3/root/usr/lib/$2 folder=$3
    shift 3
    unpack_packages "$architecture" "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$folder" \
        python3-venv libpython3-dev python3-numpy
    ln -s blas/libblas.so.3 lapack/liblapack.so.3 "$libraries"  # as installing the package does
    printf '#!/bin/sh\nexec %s "$@"\n' "$*" > "$folder/root/usr/bin/foreign-python"
    chmod +x "$folder/root/usr/bin/foreign-python"
}

# An environment with the NumPy of that Python's system. The other packages that tests need are pure Python.
make_foreign_venv() {  # FOLDER VENV
    local site
    "$1/root/usr/bin/foreign-python" -m venv --without-pip --system-site-packages "$2"
    site=$("$2/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    "$TOOLS/bin/python" -m pip install --quiet --target "$site" pip "pytest>=8" "hypothesis<6.150" "setuptools>=77"
}

# This Python names the cross compiler for its architecture, which does not find its headers by itself.
install_foreign() {  # FOLDER VENV SUITE
    CC=$("$2/bin/python" -c 'import sysconfig; print(sysconfig.get_config_var("CC"))')
    export CC="$CC -I$1/root/usr/include"
    "$TOOLS/bin/python" -m pip --python "$2/bin/python" install --quiet --no-build-isolation --no-deps "$3"
    rm -rf "$3/build" "$3"/src/*.egg-info
}

mkdir -p "$CACHE"
