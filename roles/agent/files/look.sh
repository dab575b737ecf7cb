# What of the agent's needs a host lacks, as JSON: {"python": "/usr/bin/python3", "lacking": ["..."]}
lacking=""
need() { lacking="$lacking${lacking:+, }\"$1\""; }
usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
python=""
for candidate in ${1:-python3.13 python3.12 python3.11 python3}; do
    if usable "$candidate"; then
        python=$("$candidate" -c 'import sys; print(getattr(sys, "_base_executable", sys.executable))')
        break
    fi
done
if [ -z "$python" ]; then
    need "The host has no Python 3.11 or later. Install one, or name it in plumb_agent_python."
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    need "$python has no venv module. Install it, for example: apt-get install python3-venv."
fi
command -v git >/dev/null || need "The host has no git. Install it."
[ "$(id -u)" = 0 ] || need "The agent is set up as root. Run the playbook as a user that may become root."
printf '{"python": "%s", "lacking": [%s]}\n' "$python" "$lacking"
