# What the scripts beside this one share. They stop at the first thing that fails, and start at the root of the sources.
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

install_packages() {
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

# Where this machine has Debian from: so do the others that are made here.
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | sort -u | head -1
}

# The newest interpreter of a version: on the path, or where pyenv keeps it.
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

# A folder that goes when the script ends, far from the sources: nothing there finds them by accident.
make_work_folder() {
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
}

# The wheel is built from the source distribution, so what is missing in that is missing in both. Leaves SDIST and WHEEL.
build_distributions() {
    step "source distribution, and a wheel from it"
    make_venv "$(find_python 3.11)" "$TOOLS" wheel
    rm -rf "$DIST" build
    "$TOOLS/bin/python" -m build --outdir "$DIST/built" . > "$CACHE/build.log" 2>&1 || { cat "$CACHE/build.log"; exit 1; }
    SDIST=$(echo "$DIST"/built/*.tar.gz)
    PATH="$TOOLS/bin:$PATH" auditwheel repair --wheel-dir "$DIST" "$DIST"/built/*.whl 2> "$CACHE/auditwheel.log" ||
        { cat "$CACHE/auditwheel.log"; exit 1; }
    WHEEL=$(echo "$DIST"/*.whl)
    echo "$(basename "$SDIST"): $(stat -c %s "$SDIST") bytes"
    echo "$(basename "$WHEEL"): $(stat -c %s "$WHEEL") bytes"
}

# What a script needs that is run by itself: one that .ci/run starts after .ci/wheel takes the wheel that passed there.
find_distributions() {
    if [ -z "${KEEP_DIST:-}" ]; then
        build_distributions
    fi
    SDIST=$(echo "$DIST"/built/*.tar.gz)
    WHEEL=$(echo "$DIST"/*.whl)
}

# The tests as they come in the source distribution.
unpack_suite() {
    mkdir -p "$1"
    tar -xzf "$SDIST" --strip-components=1 -C "$1"
}

mkdir -p "$CACHE"
