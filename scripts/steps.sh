# Sourced by the scripts beside it: `step NAME COMMAND...` runs a command, says how long it took, and remembers a
# failure in `failed`, so that one failing check does not hide the next. `steps_summary` prints and returns the result.
# shellcheck shell=bash
failed=()

step() {
    local name=$1 start=$SECONDS
    shift
    printf '\n=== %s\n' "$name"
    if "$@"; then
        printf -- '--- %s: ok, %d s\n' "$name" $((SECONDS - start))
    else
        printf -- '--- %s: FAILED, %d s\n' "$name" $((SECONDS - start))
        failed+=("$name")
    fi
}

steps_summary() {
    if [ ${#failed[@]} -eq 0 ]; then
        printf '\n%s: all passed\n' "$1"
    else
        printf '\n%s: %d failed: %s\n' "$1" ${#failed[@]} "$(IFS=,; echo "${failed[*]}" | sed 's/,/, /g')"
        return 1
    fi
}
