#!/usr/bin/env bash
# Makes the environments that the other commands use, from a machine with nothing but CPython 3.11+ and make.
#
#   scripts/setup.sh serve      .venv with what the server needs, and the package itself (editable)
#   scripts/setup.sh test       .venv with the tools and tests as well, and nginx, behind which some tests put the server
#   scripts/setup.sh browser    Debian's Chromium, with which tests look at the web page
#   scripts/setup.sh warehouse  Debian's PostgreSQL, ClickHouse and ZooKeeper, which the tests of the warehouse start for
#                               themselves, and what puts clocks wrong and makes networks for them; and .cache/swift with
#                               OpenStack Swift, whose buckets they keep files in
#   scripts/setup.sh chdb       .venv with the newest ClickHouse as a package, for `pytest --engine chdb`: 900 MB
#   scripts/setup.sh clients    .cache/clients/NAME for each requirements/clients/NAME.txt: real clients, apart from ours;
#                               and Debian's PostgreSQL, in which one of them keeps what is imported
#   scripts/setup.sh peers      .cache/peers/NAME for each requirements/peers/NAME.txt: other trackers, to be measured
#   scripts/setup.sh frameworks .cache/frameworks with Lightning and Hugging Face's Trainer, beside Debian's PyTorch, which has
#                               no gigabytes of CUDA with it
#   scripts/setup.sh docs       .cache/docs/venv with what makes a site of the documents
#
# Each environment remembers the hash of what it was made from, so a second call does nothing. PYTHON=... names another
# interpreter. Everything installed is pinned and hashed.
set -euo pipefail
cd "$(dirname "$0")/.."

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
unset PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 2
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(not (sys.implementation.name == "cpython" and sys.version_info >= (3, 11)))' \
        >/dev/null 2>&1
}

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14}; do
        if is_new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    die "no CPython 3.11 or later found (looked for ${PYTHON:-python3, python3.11 to python3.14}); install one, or name it: make PYTHON=/path/to/python3"
}

# Debian keeps venv apart from Python: fetch it where we may, name it where we may not.
need_venv() {
    "$1" -c 'import ensurepip, venv; ensurepip.version()' >/dev/null 2>&1 && return
    local package sudo=""
    package="$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    if command -v apt-get >/dev/null && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
        say "installing the Debian package $package"
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$package" >/dev/null 2>&1 || {
            $sudo apt-get update -qq >/dev/null 2>&1 || true
            $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$package" >/dev/null 2>&1 || true
        }
    fi
    "$1" -c 'import ensurepip, venv; ensurepip.version()' >/dev/null 2>&1 ||
        die "$1 has no venv module; install the package $package (apt-get install $package) and try again"
}

# nginx as the machine has it, else out of Debian's package into .cache: nothing is installed, no service starts.
# Without it the tests behind a proxy fail and say so; the others need it not.
need_nginx() {
    PATH="$PATH:/usr/sbin" command -v nginx >/dev/null && return
    .cache/nginx/usr/sbin/nginx -v >/dev/null 2>&1 && return
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 0
    say "unpacking the Debian package nginx into .cache/nginx"
    local sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    rm -rf .cache/nginx
    mkdir -p .cache/nginx
    (
        cd .cache/nginx
        apt-get download -qq nginx >/dev/null 2>&1 || {
            $sudo apt-get update -qq >/dev/null 2>&1 || true
            apt-get download -qq nginx >/dev/null 2>&1
        } && dpkg-deb -x nginx_*.deb .
    ) || say "nginx could not be fetched; install it (apt-get install nginx), or the tests behind a proxy fail"
}

# Chromium as the machine has it, else Debian's where we may install it, else its name.
need_chromium() {
    local sudo="" name
    for name in chromium chromium-browser google-chrome; do command -v "$name" >/dev/null && return; done
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    if command -v apt-get >/dev/null && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
        say "installing the Debian package chromium"
        for name in once again; do
            $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium fonts-dejavu-core \
                >/dev/null 2>&1 && return
            $sudo apt-get update -qq >/dev/null 2>&1 || true
        done
    fi
    die "tests of the web page need a browser; install the package chromium (apt-get install chromium) and try again"
}

# need_databases PACKAGE...: PostgreSQL and ClickHouse as the machine has them, else Debian's where we may install them, else
# their names. A server that STEPWELL_TEST_POSTGRES_URL or STEPWELL_TEST_CLICKHOUSE_URL names needs no program here.
need_databases() {
    local sudo="" missing=() package attempt
    for package in "$@"; do
        case "$package" in
            zookeeper) [ -f /usr/share/java/zookeeper.jar ] && command -v java >/dev/null ;;
            faketime) compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null ;;
            iproute2) PATH="$PATH:/usr/sbin" command -v ip >/dev/null ;;
            postgresql) [ -n "${STEPWELL_TEST_POSTGRES_URL:-}" ] || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ;;
            *) [ -n "${STEPWELL_TEST_CLICKHOUSE_URL:-}" ] || PATH="$PATH:/usr/sbin" command -v "$package" >/dev/null ;;
        esac || missing+=("$package")
    done
    [ ${#missing[@]} = 0 ] && return
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    if command -v apt-get >/dev/null && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
        say "installing the Debian packages ${missing[*]}"
        for attempt in once again; do
            $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" \
                >/dev/null 2>&1 && return
            $sudo apt-get update -qq >/dev/null 2>&1 || true
        done
    fi
    die "some tests need ${missing[*]}; install them (apt-get install ${missing[*]}), or name servers: STEPWELL_TEST_POSTGRES_URL, STEPWELL_TEST_CLICKHOUSE_URL"
}

# PyTorch as Debian has it, for the Python that Debian has it for.
need_torch() {
    local sudo="" attempt
    /usr/bin/python3 -c 'import torch, venv, ensurepip' >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    if command -v apt-get >/dev/null && { [ -z "$sudo" ] || $sudo true 2>/dev/null; }; then
        say "installing the Debian packages python3-torch and python3-venv"
        for attempt in once again; do
            $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-torch python3-venv \
                >/dev/null 2>&1 && return
            $sudo apt-get update -qq >/dev/null 2>&1 || true
        done
    fi
    die "tests of training libraries need PyTorch; install the packages python3-torch and python3-venv (apt-get install) and try again"
}

# make_venv DIRECTORY: an environment that works, made anew when its interpreter is gone or too old.
make_venv() {
    is_new_enough "$1/bin/python" && "$1/bin/python" -m pip --version >/dev/null 2>&1 && return
    local python
    python="$(find_python)"
    need_venv "$python"
    say "making $1 with $("$python" --version)"
    rm -rf "$1"
    "$python" -m venv "$1"
}

# install DIRECTORY STAMP LOCK...: installs the locks unless the stamp says that they are there; true if it did something.
install() {
    local venv="$1" stamp="$1/.installed-$2" locks=("${@:3}") hash begin=$SECONDS
    make_venv "$venv"
    hash="$({ "$venv/bin/python" --version; pwd; cat pyproject.toml hatch_build.py scripts/setup.sh "${locks[@]}"; } | sha256sum)"
    [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ] && return
    say "installing ${locks[*]} into $venv"
    "$venv/bin/python" -m pip install -q --require-hashes "${locks[@]/#/--requirement=}"
    if [ "$venv" = .venv ]; then
        "$venv/bin/python" -m pip install -q --no-deps --no-build-isolation --editable .
    fi
    printf '%s' "$hash" >"$stamp"
    say "$venv is ready ($((SECONDS - begin)) s)"
}

mkdir -p .cache/clients .cache/peers .cache/docs
exec 9>.cache/setup.lock
flock 9 # two commands at once must not install into one environment

for target in "${@:-serve}"; do
    case "$target" in
        serve)
            install .venv serve requirements/serve.txt requirements/build.txt
            .venv/bin/python hatch_build.py # the web page; does nothing when nothing changed
            ;;
        test)
            install .venv test requirements/dev.txt
            need_nginx
            .venv/bin/python hatch_build.py
            ;;
        browser)
            install .venv test requirements/dev.txt
            need_chromium
            .venv/bin/python hatch_build.py
            ;;
        warehouse)
            install .venv test requirements/dev.txt
            install .cache/swift swift requirements/swift.txt
            need_databases postgresql clickhouse-server zookeeper faketime iproute2
            ;;
        chdb)
            install .venv test requirements/dev.txt
            install .venv chdb requirements/chdb.txt
            need_databases postgresql
            ;;
        clients)
            need_databases postgresql
            for lock in requirements/clients/*.txt; do
                name="$(basename "$lock" .txt)"
                install ".cache/clients/$name" client "$lock"
            done
            ;;
        peers)
            for lock in requirements/peers/*.txt; do
                name="$(basename "$lock" .txt)"
                install ".cache/peers/$name" peer "$lock"
            done
            ;;
        frameworks)
            need_torch
            [ -x .cache/frameworks/bin/python ] || /usr/bin/python3 -m venv --system-site-packages .cache/frameworks
            # Debian's calls itself 1.13.0a0, which to pip is older than 1.13; what each wants of others is in the lock.
            PIP_NO_DEPS=1 install .cache/frameworks frameworks requirements/frameworks.txt
            ;;
        docs) install .cache/docs/venv docs requirements/docs.txt ;;
        *) die "unknown target $target: serve, test, browser, warehouse, chdb, clients, peers, frameworks or docs" ;;
    esac
done
