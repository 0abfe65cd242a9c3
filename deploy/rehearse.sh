#!/usr/bin/env bash
# The steps of deploy/Dockerfile by hand, where there is no container daemon: install, a night, the service, a probe, SIGTERM,
# as the image's user on a file system that is read-only but for /srv/recsys and /tmp. Needs root, Python and two minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "deploy/rehearse.sh: needs root, to become the image's user and to make mounts" >&2; exit 2; }

say() { printf '\n== %s\n' "$*"; }

if [ "${1:-}" != inside ]; then
    root=$(mktemp -d /var/tmp/recsys-image.XXXXXX)
    trap 'rm -rf "$root"' EXIT
    chmod 0755 "$root"
    python=$(readlink -f "$(command -v "${PYTHON:-python3}")")
    setpriv --reuid 10001 --regid 10001 --clear-groups "$python" -c "" 2>/dev/null || {
        echo "deploy/rehearse.sh: user 10001 may not run $python; PYTHON=/path/to/python names another" >&2; exit 2; }
    say "build: what deploy/Dockerfile installs, into $root"
    mkdir -p "$root/src" "$root/srv"
    sed -n 's/^!//p' deploy/Dockerfile.dockerignore | xargs -I{} cp -r --parents {} "$root/src/"
    "$python" -m venv "$root/recsys"
    pip=("$root/recsys/bin/python" -m pip --disable-pip-version-check --quiet install --no-compile)
    "${pip[@]}" --require-hashes -r deploy/requirements.lock
    "${pip[@]}" --no-deps --no-build-isolation "$root/src"
    "$root/recsys/bin/python" -m compileall -q "$root/recsys" || true  # files for other Pythons do not compile
    rm -r "$root/src"
    chown -R 10001:10001 "$root/srv"
    cp deploy/compose.pipeline.toml "$root/pipeline.toml"
    mkdir -p /srv/recsys
    unshare --mount -- "$0" inside "$root"
    say done
    exit
fi

root=$2
mount --make-rprivate /
mount --bind "$root/srv" /srv/recsys
mount -t tmpfs -o mode=1777,size=512m tmpfs /tmp
mount -o remount,bind,ro /
as_user=(setpriv --reuid 10001 --regid 10001 --clear-groups env -i PATH="$root/recsys/bin:/usr/bin:/bin" HOME=/srv/recsys
    PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 RECSYS_DATA_DIR=/srv/recsys/data NUMBA_CACHE_DIR=/tmp/numba
    MPLCONFIGDIR=/tmp/matplotlib RECSYS_EVENTS=/srv/recsys/events.db)
cd /srv/recsys
say "user $("${as_user[@]}" id -u); the root file system $("${as_user[@]}" touch "$root/x" 2>/dev/null && echo "can be written" || echo "is read-only")"

say "night"
"${as_user[@]}" recsys fetch demo
"${as_user[@]}" recsys run "$root/pipeline.toml" 2>&1 | tail -5

say "service"
"${as_user[@]}" recsys serve --store /srv/recsys/store --port 18000 --workers 2 &
service=$!
ask() { "${as_user[@]}" python -c "import sys, urllib.request; print(urllib.request.urlopen('http://127.0.0.1:18000' + sys.argv[1], timeout=4).read().decode()[:300])" "$1"; }
for _ in $(seq 100); do ask /readyz 2>/dev/null && break; sleep 0.2; done
ask /livez
ask "/v1/users/u0000505/recommendations?k=2"
kill -TERM "$service"
if wait "$service"; then echo "SIGTERM: exit code 0"; else echo "SIGTERM: exit code $?" >&2; exit 1; fi
