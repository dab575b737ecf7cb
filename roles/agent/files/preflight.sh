# Prints what the host lacks for the agent, as JSON: {"python": "/usr/bin/python3.11", "systemd": true, "missing": ["..."]}
# The agent cannot see home folders, so it cannot use a Python below one.
missing=""
need() { missing="$missing${missing:+, }\"$1\""; }
python=""
for candidate in ${1:-python3.13 python3.12 python3.11 python3 /usr/bin/python3}; do
    python=$("$candidate" -c '
import os, sys
base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
usable = sys.version_info >= (3, 11) and not base.startswith(("/root/", "/home/"))
print(base if usable else "")
' 2>/dev/null)
    [ -z "$python" ] || break
done
if [ -z "$python" ]; then
    need "The host has no Python 3.11 or later outside of home folders. Install one, or name it in plumb_agent_python."
elif ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    need "$python has no venv module. Install it, for example: apt-get install python3-venv."
fi
command -v git >/dev/null || need "The host has no git. Install it."
[ "$(id -u)" = 0 ] || need "The agent is set up as root. Run the playbook as a user who may become root."
systemd=false
[ ! -d /run/systemd/system ] || systemd=true # sd_booted(3)
printf '{"python": "%s", "systemd": %s, "missing": [%s]}\n' "$python" "$systemd" "$missing"
