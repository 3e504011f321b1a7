#!/usr/bin/env bash
# Measures a first build, and the size of the program. The build goes into an empty folder and uses
# sources that are downloaded already. It prints a table. With `--save` it also writes the table to
# benches/build.md, and `cargo bench -- --save` puts that file into BENCHMARKS.md. With names of
# profiles (`release`, `dist`, `dev`) after that, it measures only those.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo fetch --locked --quiet

# WHAT, BEFORE, GOAL, PROFILE
row() {
    local TIMEFORMAT='%R %U %S'
    { time cargo build --quiet --locked --bin rehearsal --profile "$4" --target-dir "$folder"; } 2>"$folder/time"
    local program=$folder/$4/rehearsal
    [ "$4" = dev ] && program=$folder/debug/rehearsal
    strip -o "$folder/stripped" "$program"
    tail -1 "$folder/time" | awk -v what="$1" -v before="$2" -v goal="$3" \
        -v plain="$(wc -c <"$folder/stripped")" -v packed="$(gzip -9 -c "$folder/stripped" | wc -c)" '{
            printf "| %s | %s | %.1f min, %.1f min of CPU; %.1f MB, %.1f MB compressed | %s |\n",
                what, before, $1 / 60, ($2 + $3) / 60, plain / 1e6, packed / 1e6, goal }'
    rm -rf "${folder:?}"/*
}

table() {
    echo "| first build, and the program without symbols | before | measured | goal |"
    echo "| --- | ---: | ---: | --- |"
    local profile
    for profile in "$@"; do
        case $profile in
        release)
            row '`cargo build --release`' '11.5 min, 17 min of CPU; 69.5 MB, 34 MB compressed' \
                '5 min; 20 MB, 12 MB compressed' release
            ;;
        dist) row '`cargo build --profile dist`, for packages' '' '20 MB, 12 MB compressed' dist ;;
        dev) row '`cargo build`' '' '' dev ;;
        esac
    done
}

out=/dev/null
if [ "${1:-}" = --save ]; then
    out=benches/build.md
    shift
fi
[ $# -gt 0 ] || set -- release dist dev
table "$@" | tee "$out"
