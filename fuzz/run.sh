#!/usr/bin/env bash
# fuzz/run.sh MINUTES [TARGET...]: runs each target for so long, one after another, at the lowest priority.
# Installs a nightly compiler and cargo-fuzz where they are missing. Stops at the first finding.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if (($# == 0)); then
    sed -n '2,3s/^# //p' "$0"
    exit 2
fi
minutes=$1
shift

rustup toolchain list | grep -q '^nightly' || rustup toolchain install nightly --profile minimal
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked

# Everything under test forbids unsafe code: the address sanitizer would find nothing and costs half of the speed.
fuzz=(nice -n 19 cargo +nightly fuzz)
"${fuzz[@]}" build --sanitizer none

targets=("$@")
if ((${#targets[@]} == 0)); then mapfile -t targets < <(cargo +nightly fuzz list); fi
for target in "${targets[@]}"; do
    # New inputs go to the first folder, which is not under version control.
    mkdir -p "found/$target" "corpus/$target"
    log=found/$target.log
    status=0
    "${fuzz[@]}" run --sanitizer none "$target" "found/$target" "corpus/$target" -- \
        -max_total_time=$((minutes * 60)) -max_len=4096 -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
        >"$log" 2>&1 || status=$?
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    coverage=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1) || coverage=
    printf '%-14s %3d min  %12s executions  %s\n' "$target" "$minutes" "${executions:-?}" "$coverage"
    if ((status != 0)); then
        grep -A 3 -E 'panicked at|ERROR: libFuzzer|Test unit written' "$log" || tail -n 20 "$log"
        echo "run it again on any compiler: SYNFIN_INPUT=<that file> SYNFIN_TARGET=$target cargo test -p synfin-fuzzers one_file"
        exit "$status"
    fi
done
