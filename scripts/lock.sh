#!/usr/bin/env bash
# Rewrites requirements/*.txt from requirements/*.in: pinned, hashed, for every platform, without the address of any index.
# NAME.overrides beside NAME.in names packages that come from elsewhere, with a marker that is never true.
# Needs `uv` on PATH or in .venv/bin. Arguments go to `uv pip compile`, for example --upgrade-package numpy.
set -euo pipefail
cd "$(dirname "$0")/../requirements"
PATH="$PWD/../.venv/bin:$PATH"

for input in serve.in build.in s3.in warehouse.in swift.in dev.in chdb.in docs.in frameworks.in clients/*.in peers/*.in; do
    name="${input%.in}"
    overrides=()
    [ ! -f "$name.overrides" ] || overrides=(--override "$name.overrides")
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        "${overrides[@]}" "$@" "$name.in" --output-file "$name.txt" >/dev/null
    if grep -nE '://|^-' "$name.txt"; then
        echo "requirements/$name.txt names an address or carries an option; see above" >&2
        exit 1
    fi
    echo "requirements/$name.txt: $(grep -c '==' "$name.txt") packages"
done
